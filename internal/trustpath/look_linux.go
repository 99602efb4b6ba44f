package trustpath

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// pathOnly opens a file for no more than its place in the tree.
const pathOnly = unix.O_PATH

// lookAt returns what a name in a directory is and, if it is a symbolic link,
// its target.
func lookAt(dir int, name string) (st *unix.Stat_t, target string, err error) {
	fd, err := unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, "", err
	}
	defer unix.Close(fd)
	st = new(unix.Stat_t)
	if err := unix.Fstat(fd, st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFLNK {
		return st, "", err
	}
	text := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", text)
	return st, string(text[:max(n, 0)]), err
}

// notGenerated refuses the files of /proc, tracefs and debugfs. They look
// regular, but some wait for what the kernel has to say, such as /proc/kmsg.
func notGenerated(fd int, path string) error {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return os.NewSyscallError("fstatfs", err)
	}
	switch fs.Type {
	case unix.PROC_SUPER_MAGIC, unix.TRACEFS_MAGIC, unix.DEBUGFS_MAGIC:
		return fmt.Errorf("%s is a file that the kernel generates, %w; give the path of a file on a disk", path, ErrNotRegular)
	}
	return nil
}
