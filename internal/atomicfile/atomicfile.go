// Package atomicfile replaces files. A reader sees the old content or the new
// one, never part of either, and so does a process that starts after a crash or
// a loss of power.
package atomicfile

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Replace writes content to a temporary file in the directory of path, syncs
// it, renames it to path and syncs the directory. The file has exactly this
// mode, whatever the umask, and belongs to the user of the process. A symbolic
// link at path is replaced, not followed. If the write, the sync or the rename
// fails, path is left as it was; if only the sync of the directory fails, the
// content is new but a loss of power may still undo it.
func Replace(path string, content []byte, mode fs.FileMode) error {
	return ReplaceFrom(path, bytes.NewReader(content), mode)
}

// ReplaceFrom is Replace for content that may be too long for memory.
func ReplaceFrom(path string, content io.Reader, mode fs.FileMode) error {
	directory := filepath.Dir(path)
	temporary, err := os.CreateTemp(directory, "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	err = fill(temporary, content, mode)
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	return SyncDir(directory)
}

func fill(file *os.File, content io.Reader, mode fs.FileMode) error {
	err := file.Chmod(mode)
	if err == nil {
		_, err = io.Copy(file, content)
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// SyncDir makes the creations, renames and removals in a directory survive a
// loss of power. It does nothing on a file system that can't sync directories,
// or without permission to read the directory: a process may write to one that
// it can't list.
func SyncDir(path string) error {
	directory, err := os.Open(path)
	if errors.Is(err, syscall.EACCES) {
		return nil
	}
	if err != nil {
		return err
	}
	err = directory.Sync()
	if errors.Is(err, syscall.EINVAL) {
		err = nil
	}
	return errors.Join(err, directory.Close())
}
