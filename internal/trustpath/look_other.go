//go:build !linux

package trustpath

import "golang.org/x/sys/unix"

// pathOnly needs permission to read, where there is no O_PATH.
const pathOnly = unix.O_RDONLY

// lookAt returns what a name in a directory is and, if it is a symbolic link,
// its target. The daemon, which must not be deceived in between, runs on Linux
// only.
func lookAt(dir int, name string) (st *unix.Stat_t, target string, err error) {
	st = new(unix.Stat_t)
	if err := unix.Fstatat(dir, name, st, unix.AT_SYMLINK_NOFOLLOW); err != nil || st.Mode&unix.S_IFMT != unix.S_IFLNK {
		return st, "", err
	}
	text := make([]byte, 4096)
	n, err := unix.Readlinkat(dir, name, text)
	return st, string(text[:max(n, 0)]), err
}

// notGenerated accepts all files: those of /proc are Linux's.
func notGenerated(int, string) error { return nil }
