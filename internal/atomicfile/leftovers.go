package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// RemoveLeftovers removes the temporary files that a process left beside path
// because it was killed during Replace: regular files of this user with the
// names that Replace gives, which nobody has written to for this long. Use 0
// only where no other process can be replacing path. It does nothing in a
// directory that this process can't list.
func RemoveLeftovers(path string, unused time.Duration) error {
	directory, base := filepath.Split(path)
	list, err := os.ReadDir(filepath.Clean(directory))
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var failed []error
	for _, e := range list {
		if !isTemporary(base, e.Name()) {
			continue
		}
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || time.Since(info.ModTime()) < unused ||
			info.Sys().(*syscall.Stat_t).Uid != uint32(os.Geteuid()) {
			continue
		}
		if err := os.Remove(filepath.Join(directory, e.Name())); !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// isTemporary reports whether os.CreateTemp gave the name to a file of Replace.
func isTemporary(base, name string) bool {
	random, ok := strings.CutPrefix(name, "."+base+".")
	return ok && random != "" && strings.Trim(random, "0123456789") == ""
}
