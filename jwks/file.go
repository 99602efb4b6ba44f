package jwks

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/assertd/assertd/internal/atomicfile"
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
	if err := atomicfile.Replace(path, document, fileMode); err != nil {
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
