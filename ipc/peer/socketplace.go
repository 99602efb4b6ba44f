package peer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/internal/trustpath"
)

// socketPlace is where a socket goes: a name in a directory that is held open,
// so that the directory stays the same whatever happens to its path.
type socketPlace struct {
	dir  *os.File
	name string
	path string // as configured, for bind and for messages
}

// openPlace refuses a path that can't hold a socket, and one in a directory
// where others could replace the socket.
func openPlace(s Socket) (*socketPlace, error) {
	if err := checkSocketPath(s.Path); err != nil {
		return nil, err
	}
	dir, err := openSocketDir(filepath.Dir(s.Path), s.Trust)
	if err != nil {
		return nil, err
	}
	return &socketPlace{dir: dir, name: filepath.Base(s.Path), path: s.Path}, nil
}

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
	return nil
}

func openSocketDir(path string, rules trustpath.Rules) (*os.File, error) {
	dir, err := rules.OpenDirectory(path, trustpath.Directory)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: the directory %s does not exist; create it, or have systemd create it with RuntimeDirectory=", ErrSocketPath, path)
	case errors.Is(err, unix.ENOTDIR):
		return nil, fmt.Errorf("%w: %s is not a directory", ErrSocketPath, path)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrSocketPath, err)
	}
	if err := unix.Faccessat(int(dir.Fd()), ".", unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		dir.Close()
		return nil, fmt.Errorf("%w: the daemon may not create files in %s (%w); change the directory's owner to the daemon's user", ErrSocketPath, path, err)
	}
	return dir, nil
}

func (p *socketPlace) fd() int { return int(p.dir.Fd()) }

func (p *socketPlace) close() { p.dir.Close() }

// open opens what is there by the name, without following a symbolic link and
// without effects on it (O_PATH).
func (p *socketPlace) open() (fd int, st unix.Stat_t, err error) {
	fd, err = unix.Openat(p.fd(), p.name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, st, &os.PathError{Op: "open", Path: p.path, Err: err}
	}
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return -1, st, os.NewSyscallError("fstat", err)
	}
	return fd, st, nil
}

// holds reports whether the name is still that of a file.
func (p *socketPlace) holds(name string, f *os.File) bool {
	var held, named unix.Stat_t
	return unix.Fstat(int(f.Fd()), &held) == nil &&
		unix.Fstatat(p.fd(), name, &named, unix.AT_SYMLINK_NOFOLLOW) == nil &&
		held.Dev == named.Dev && held.Ino == named.Ino
}

func (p *socketPlace) unlink(name string) error {
	return os.NewSyscallError("unlinkat", unix.Unlinkat(p.fd(), name, 0))
}

func (p *socketPlace) swapped() error {
	return fmt.Errorf("%w: someone replaced %s while the daemon created it; find out who can write to the directory", ErrSocketPath, p.path)
}

// clearStale removes a socket on which no process listens, and nothing else.
func (p *socketPlace) clearStale() error {
	fd, st, err := p.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSocketPath, err)
	}
	defer unix.Close(fd)
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return fmt.Errorf("%w: a file that is not a socket is there (mode %06o); remove it, or choose another path", ErrSocketPath, st.Mode)
	}
	if err := probeStale(procPath(fd)); err != nil {
		return err
	}
	return p.unlink(p.name)
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
