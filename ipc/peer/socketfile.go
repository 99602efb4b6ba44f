package peer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// checkSocketPath refuses a path that can't hold a socket, and one in a
// directory where others could replace the socket.
func checkSocketPath(path string) error {
	switch {
	case path == "":
		return fmt.Errorf("%w: the path is empty", ErrSocketPath)
	case path[0] == '@' || path[0] == 0:
		return fmt.Errorf("%w: abstract sockets have no permissions, and any container on the host's network can reach them; use a file path", ErrSocketPath)
	case strings.ContainsRune(path, 0):
		return fmt.Errorf("%w: the path has a NUL byte", ErrSocketPath)
	case len(path) > maxSocketPath:
		return fmt.Errorf("%w: the path has %d bytes, but the kernel allows %d; use a shorter path, such as one under /run", ErrSocketPath, len(path), maxSocketPath)
	case filepath.Base(path) == "." || filepath.Base(path) == ".." || strings.HasSuffix(path, "/"):
		return fmt.Errorf("%w: the path names a directory", ErrSocketPath)
	}
	return checkSocketDir(filepath.Dir(path))
}

func checkSocketDir(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: the directory %s does not exist; create it, or have systemd create it with RuntimeDirectory=", ErrSocketPath, dir)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrSocketPath, err)
	case !info.IsDir():
		return fmt.Errorf("%w: %s is not a directory", ErrSocketPath, dir)
	case info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0:
		return fmt.Errorf("%w: anyone may write to the directory %s, and so replace the socket; run chmod o-w on it", ErrSocketPath, dir)
	}
	if err := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return fmt.Errorf("%w: the daemon may not create files in %s (%w); change the directory's owner to the daemon's user", ErrSocketPath, dir, err)
	}
	return nil
}

// clearStale removes a socket on which no process listens, and nothing else.
func clearStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSocketPath, err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%w: a file that is not a socket is there (%v); remove it, or choose another path", ErrSocketPath, info.Mode())
	}
	if err := probeStale(path); err != nil {
		return err
	}
	return os.Remove(path)
}

// probeStale returns nil only if the kernel says that no process listens. A
// full backlog (EAGAIN) means that one does. A socket that can't be probed
// counts as in use.
func probeStale(path string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
	switch {
	case errors.Is(err, unix.ECONNREFUSED):
		return nil
	case err == nil, errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EPROTOTYPE):
		return fmt.Errorf("%w; stop that process, or choose another path", ErrSocketInUse)
	}
	return fmt.Errorf("%w: can't tell whether a process is listening there (%w); remove the file if none is", ErrSocketPath, err)
}

// socketFile is a socket's directory entry. Device and inode tell it from a
// later one of the same name: the inode can't be reused while the socket is
// open.
type socketFile struct {
	path     string
	dev, ino uint64
	lock     *socketLock
}

func newSocketFile(path string, lock *socketLock) (*socketFile, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return nil, os.NewSyscallError("lstat", err)
	}
	return &socketFile{path: path, dev: st.Dev, ino: st.Ino, lock: lock}, nil
}

// remove unlinks the entry if it is still ours. Call it before closing the
// socket.
func (f *socketFile) remove() error {
	var st unix.Stat_t
	err := unix.Lstat(f.path, &st)
	if errors.Is(err, unix.ENOENT) || (err == nil && (st.Dev != f.dev || st.Ino != f.ino)) {
		return nil
	}
	if err != nil {
		return os.NewSyscallError("lstat", err)
	}
	return os.Remove(f.path)
}

// socketLock keeps two daemons from probing and replacing a socket at the same
// time. Anyone who can open a file can lock it, so only the daemon's user can
// open this one. It is held as long as the socket is open.
type socketLock struct {
	file *os.File
	path string
}

func lockSocket(socket string) (*socketLock, error) {
	path := socket + ".lock"
	for {
		f, err := openLock(path)
		if err != nil {
			return nil, fmt.Errorf("%w: lock file: %w", ErrSocketPath, err)
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			f.Close()
			return nil, fmt.Errorf("%w, or about to: %s is locked; stop that process, or choose another path", ErrSocketInUse, path)
		}
		if err != nil {
			f.Close()
			return nil, os.NewSyscallError("flock", err)
		}
		// The process that held the lock may have removed the file before flock.
		if sameFile(f, path) {
			return &socketLock{file: f, path: path}, nil
		}
		f.Close()
	}
}

func openLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		f.Close()
		return nil, os.NewSyscallError("fstat", err)
	}
	if int(st.Uid) != os.Geteuid() || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o077 != 0 {
		f.Close()
		return nil, fmt.Errorf("%s is not a regular file with mode 0600 that the daemon's user owns; remove it", path)
	}
	return f, nil
}

func sameFile(f *os.File, path string) bool {
	held, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(held, named)
}

// release removes the lock file while it is still locked, then unlocks it.
func (l *socketLock) release() {
	os.Remove(l.path)
	l.file.Close()
}
