package atomicfile

import (
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// SetAside renames a file that can't be used to path.damaged-<time>, where a
// person finds it, and returns that name. It replaces no file.
func SetAside(path string, now time.Time) (aside string, err error) {
	aside = path + ".damaged-" + now.UTC().Format("20060102T150405.000000Z")
	if err := unix.Renameat2(unix.AT_FDCWD, path, unix.AT_FDCWD, aside, unix.RENAME_NOREPLACE); err != nil {
		return "", &os.LinkError{Op: "rename", Old: path, New: aside, Err: err}
	}
	return aside, SyncDir(filepath.Dir(path))
}
