package peer

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

var (
	// ErrSocketInUse means that a living process answers on the socket.
	ErrSocketInUse = errors.New("another process answers on the socket")
	// ErrSocketPath means that the path can't hold a socket that only its owner controls.
	ErrSocketPath = errors.New("the socket's path can't be used")
)

// DefaultSocketMode is the mode of a socket whose Listener sets none.
const DefaultSocketMode fs.FileMode = 0o660

// maxSocketPath is what sockaddr_un holds besides its terminating NUL, unix(7).
const maxSocketPath = 107

// listenBacklog is how many connections the kernel queues; it caps the value at
// net.core.somaxconn.
const listenBacklog = 1024

// Listener describes one socket.
type Listener struct {
	Socket string      // path; at most 107 bytes, never abstract
	Mode   fs.FileMode // permission bits; 0 for DefaultSocketMode
	Owner  string      // user name or id; "" leaves it to the daemon's own
	Group  string      // group name or id; "" leaves it to the daemon's own
	Client string      // the client whose grants its callers get, and no others; "" for none
}

// BoundListener is a listening socket. Close it, or hand it to a server,
// which does.
type BoundListener struct {
	*net.UnixListener
	spec  Listener
	file  *socketFile // nil for a socket that systemd owns
	close sync.Once
	err   error
}

// Path returns the socket's path as it was configured.
func (b *BoundListener) Path() string { return b.spec.Socket }

// Client returns the client that the socket is bound to, "" for none.
func (b *BoundListener) Client() string { return b.spec.Client }

// Close removes the socket if it is still the one that Listen made, and stops
// listening. Connections that were accepted stay open. It may be called again.
func (b *BoundListener) Close() error {
	b.close.Do(func() {
		if b.file != nil {
			b.err = b.file.remove()
		}
		b.err = errors.Join(b.err, b.UnixListener.Close())
		if b.file != nil {
			b.file.lock.release()
		}
	})
	return b.err
}

// Listen makes the socket with its mode and owner, and listens on it. Nobody can
// connect before mode and owner are final. A socket file that a dead process left
// is taken over; one on which somebody answers is [ErrSocketInUse]; any other file
// at the path, or a directory that others control, is [ErrSocketPath].
func Listen(l Listener) (*BoundListener, error) {
	b, err := listen(l)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", l.Socket, err)
	}
	return b, nil
}

func listen(l Listener) (*BoundListener, error) {
	owner, err := l.ownership()
	if err != nil {
		return nil, err
	}
	if err := checkSocketPath(l.Socket); err != nil {
		return nil, err
	}
	lock, err := lockSocket(l.Socket)
	if err != nil {
		return nil, err
	}
	b, err := bindLocked(l, owner, lock)
	if err != nil {
		lock.release()
	}
	return b, err
}

// bindLocked makes the socket while lock keeps other starting daemons away.
func bindLocked(l Listener, owner ownership, lock *socketLock) (*BoundListener, error) {
	if err := clearStale(l.Socket); err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(fd), l.Socket)
	defer f.Close()
	if err := bind(fd, l.Socket); err != nil {
		return nil, err
	}
	file, err := newSocketFile(l.Socket, lock)
	if err != nil {
		return nil, err
	}
	ul, err := openUp(f, owner)
	if err != nil {
		return nil, errors.Join(err, file.remove())
	}
	return &BoundListener{UnixListener: ul, spec: l, file: file}, nil
}

// bind creates the socket file closed to everyone else: Linux takes a new
// socket's mode from the descriptor's, less the umask, so the process's umask,
// which other goroutines share, need not change.
func bind(fd int, path string) error {
	if err := unix.Fchmod(fd, 0o600); err != nil {
		return os.NewSyscallError("fchmod", err)
	}
	err := unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	switch {
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EROFS):
		return fmt.Errorf("%w: the daemon may not create files in its directory (%w); give the directory to the daemon's user", ErrSocketPath, err)
	case errors.Is(err, unix.EADDRINUSE):
		return fmt.Errorf("%w: it appeared while the daemon started", ErrSocketInUse)
	}
	return os.NewSyscallError("bind", err)
}

// openUp applies owner and mode and only then listens: until then connect(2) is refused.
func openUp(f *os.File, o ownership) (*net.UnixListener, error) {
	path := f.Name()
	if o.uid >= 0 || o.gid >= 0 {
		if err := os.Lchown(path, o.uid, o.gid); err != nil {
			return nil, fmt.Errorf("%w; the daemon must be root, or a member of the group, to give the socket away", err)
		}
	}
	if err := os.Chmod(path, o.mode); err != nil {
		return nil, err
	}
	if err := unix.Listen(int(f.Fd()), listenBacklog); err != nil {
		return nil, os.NewSyscallError("listen", err)
	}
	return fileListener(f)
}

// fileListener makes a listener with a descriptor of its own; f stays the caller's.
func fileListener(f *os.File) (*net.UnixListener, error) {
	l, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	ul, ok := l.(*net.UnixListener)
	if !ok {
		l.Close()
		return nil, fmt.Errorf("%s is no Unix socket", f.Name())
	}
	ul.SetUnlinkOnClose(false)
	return ul, nil
}

// ownership is who may open a socket; -1 leaves an id as it is.
type ownership struct {
	mode     fs.FileMode
	uid, gid int
}

func (l Listener) ownership() (ownership, error) {
	o := ownership{mode: l.Mode, uid: -1, gid: -1}
	if o.mode == 0 {
		o.mode = DefaultSocketMode
	}
	if o.mode&^fs.ModePerm != 0 {
		return o, fmt.Errorf("mode %v has more than permission bits; use one like 0660", o.mode)
	}
	var err error
	if l.Owner != "" {
		if o.uid, err = lookupID(l.Owner, func(name string) (string, error) {
			u, err := user.Lookup(name)
			if err != nil {
				return "", err
			}
			return u.Uid, nil
		}); err != nil {
			return o, fmt.Errorf("owner %q: %w", l.Owner, err)
		}
	}
	if l.Group != "" {
		if o.gid, err = lookupID(l.Group, func(name string) (string, error) {
			g, err := user.LookupGroup(name)
			if err != nil {
				return "", err
			}
			return g.Gid, nil
		}); err != nil {
			return o, fmt.Errorf("group %q: %w", l.Group, err)
		}
	}
	return o, nil
}

// lookupID takes a decimal id as it is and looks up anything else.
func lookupID(name string, lookup func(string) (string, error)) (int, error) {
	id, err := strconv.ParseUint(name, 10, 31)
	if err == nil {
		return int(id), nil
	}
	text, err := lookup(name)
	if err != nil {
		return -1, err
	}
	return strconv.Atoi(text)
}
