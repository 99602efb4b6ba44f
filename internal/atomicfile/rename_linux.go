package atomicfile

import (
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Rename gives a file another name, which must be free. The caller syncs the
// directory.
func Rename(from, to string) error {
	if err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// SetAside renames a file that can't be used to path.damaged-<time>, where a
// person finds it, and returns that name. It replaces no file.
func SetAside(path string, now time.Time) (aside string, err error) {
	aside = path + ".damaged-" + now.UTC().Format("20060102T150405.000000Z")
	if err := Rename(path, aside); err != nil {
		return "", err
	}
	return aside, SyncDir(filepath.Dir(path))
}
