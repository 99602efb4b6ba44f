package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Update replaces a file as [Replace] does, unless it has this content and mode
// already, and reports whether it did. It refuses to replace anything but a
// regular file or a symbolic link.
func Update(path string, content []byte, mode fs.FileMode) (changed bool, err error) {
	same, err := contains(path, content, mode)
	if err != nil || same {
		return false, err
	}
	if err := Replace(path, content, mode); err != nil {
		return false, err
	}
	return true, nil
}

func contains(path string, content []byte, mode fs.FileMode) (bool, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case info.Mode()&fs.ModeSymlink != 0:
		return false, nil // replaced by a file, never followed
	case !info.Mode().IsRegular():
		return false, fmt.Errorf("%s is not a regular file; choose another path", path)
	case info.Mode().Perm() != mode || info.Size() != int64(len(content)):
		return false, nil
	}
	present, err := os.ReadFile(path)
	return err == nil && bytes.Equal(present, content), nil
}
