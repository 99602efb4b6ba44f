package jwks

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// fileMode of a JWKS file: it is public.
const fileMode = 0o644

// WriteFile writes a set to a file if it holds anything else, and tells whether
// it did. A reader sees the old file or the new one whole, also after a crash;
// the file is readable by all. Its directory must exist and be writable.
func WriteFile(path string, set Set) (changed bool, err error) {
	document := set.JSON()
	same, err := holds(path, document)
	if err != nil || same {
		return false, err
	}
	if err := replaceFile(path, document); err != nil {
		return false, fmt.Errorf("write the JWKS file: %w", err)
	}
	return true, nil
}

// holds tells whether a file is there as it should be.
func holds(path string, document []byte) (bool, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("write the JWKS file: %w", err)
	case info.Mode()&fs.ModeSymlink != 0:
		return false, nil // replaced by a file, never followed
	case !info.Mode().IsRegular():
		return false, fmt.Errorf("write the JWKS file: %s is there and is no regular file; choose another path", path)
	case info.Mode().Perm() != fileMode || info.Size() != int64(len(document)):
		return false, nil
	}
	present, err := os.ReadFile(path)
	return err == nil && bytes.Equal(present, document), nil
}

// replaceFile goes through a temporary file beside the real one. Without the
// fsync of the directory the rename itself could be lost.
func replaceFile(path string, document []byte) error {
	directory := filepath.Dir(path)
	temporary, err := os.CreateTemp(directory, ".jwks-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // no longer there once renamed
	if err := fill(temporary, document); err != nil {
		return err
	}
	if err := os.Rename(temporary.Name(), path); err != nil {
		return err
	}
	return syncDirectory(directory)
}

func fill(file *os.File, document []byte) error {
	_, err := file.Write(document)
	if err == nil {
		err = file.Chmod(fileMode)
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

func syncDirectory(path string) error {
	directory, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}
