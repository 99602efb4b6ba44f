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

// WriteFile writes a set to a file unless the file already contains it, and
// reports whether it wrote. Readers see the whole old file or the whole new
// one, even after a crash. Everyone can read the file. Its directory must exist
// and be writable.
func WriteFile(path string, set Set) (changed bool, err error) {
	document := set.JSON()
	same, err := contains(path, document)
	if err != nil || same {
		return false, err
	}
	if err := atomicfile.Replace(path, document, fileMode); err != nil {
		return false, fmt.Errorf("write the JWKS file: %w", err)
	}
	return true, nil
}

// contains reports whether the file has this content and the right mode.
func contains(path string, document []byte) (bool, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("write the JWKS file: %w", err)
	case info.Mode()&fs.ModeSymlink != 0:
		return false, nil // replaced by a file, never followed
	case !info.Mode().IsRegular():
		return false, fmt.Errorf("write the JWKS file: %s is not a regular file; choose another path", path)
	case info.Mode().Perm() != fileMode || info.Size() != int64(len(document)):
		return false, nil
	}
	present, err := os.ReadFile(path)
	return err == nil && bytes.Equal(present, document), nil
}
