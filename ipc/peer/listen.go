package peer

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/internal/trustpath"
)

var (
	// ErrSocketInUse means that another process is listening on the socket.
	ErrSocketInUse = errors.New("another process is listening on the socket")
	// ErrSocketPath means that the path can't hold a socket, or that others could
	// replace a socket there.
	ErrSocketPath = errors.New("the socket path can't be used")
)

// DefaultSocketMode is the mode of a [Socket] that sets none.
const DefaultSocketMode fs.FileMode = 0o660

// maxSocketPath is the length of sockaddr_un's path without the NUL, unix(7).
const maxSocketPath = 107

// listenBacklog is how many connections the kernel queues, up to its limit
// net.core.somaxconn.
const listenBacklog = 1024

// Socket describes a socket to listen on.
type Socket struct {
	Path   string      // at most 107 bytes, never abstract
	Mode   fs.FileMode // permission bits; 0 for DefaultSocketMode
	Owner  *uint32     // UID; nil for the daemon's own
	Group  *uint32     // GID; nil for the daemon's own
	Client string      // the only client whose grants callers on the socket get; "" for any
	// Trust relaxes who may be able to write to the directory.
	Trust trustpath.Rules
}

// Listener is a listening socket. Close it, or pass it to a server that does.
type Listener struct {
	*net.UnixListener
	spec  Socket
	file  *socketFile // nil for a socket that systemd owns
	close sync.Once
	err   error
}

// Path returns the socket's path as configured.
func (l *Listener) Path() string { return l.spec.Path }

// Client returns the client that the socket is bound to, "" for none.
func (l *Listener) Client() string { return l.spec.Client }

// Close removes the socket file, unless another one has replaced it, and stops
// listening. Accepted connections stay open. It is safe to call Close again.
func (l *Listener) Close() error {
	l.close.Do(func() {
		if l.file != nil {
			l.err = l.file.remove()
		}
		l.err = errors.Join(l.err, l.UnixListener.Close())
		if l.file != nil {
			l.file.lock.release()
			l.file.place.close()
		}
	})
	return l.err
}

// Listen creates the socket with its mode and owner, and listens on it. Nobody
// can connect before mode and owner are set. It replaces the socket file of a
// process that has died. The error is [ErrSocketInUse] if another process
// listens on the socket, and [ErrSocketPath] if the path holds another kind of
// file or is in a directory that others control.
func Listen(s Socket) (*Listener, error) {
	l, err := listen(s)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", s.Path, err)
	}
	return l, nil
}

func listen(s Socket) (*Listener, error) {
	owner, err := s.ownership()
	if err != nil {
		return nil, err
	}
	place, err := openPlace(s)
	if err != nil {
		return nil, err
	}
	lock, err := place.lock()
	if err != nil {
		place.close()
		return nil, err
	}
	l, err := bindLocked(s, owner, place, lock)
	if err != nil {
		lock.release()
		place.close()
	}
	return l, err
}

// bindLocked creates the socket while lock keeps out other daemons that start.
func bindLocked(s Socket, owner ownership, place *socketPlace, lock *socketLock) (*Listener, error) {
	if err := place.clearStale(); err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(fd), s.Path)
	defer f.Close()
	if err := bind(fd, s.Path); err != nil {
		return nil, err
	}
	file, err := newSocketFile(place, lock)
	if err != nil {
		return nil, err
	}
	ul, err := listenAs(f, file, owner)
	if err != nil {
		return nil, errors.Join(err, file.remove())
	}
	return &Listener{UnixListener: ul, spec: s, file: file}, nil
}

// bind creates the socket file with no access for others. Linux takes the mode
// of a new socket file from the descriptor, less the umask, so there is no need
// to change the process's umask, which other goroutines share.
func bind(fd int, path string) error {
	if err := unix.Fchmod(fd, 0o600); err != nil {
		return os.NewSyscallError("fchmod", err)
	}
	err := unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	switch {
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EROFS):
		return fmt.Errorf("%w: the daemon may not create files in the directory (%w); change the directory's owner to the daemon's user", ErrSocketPath, err)
	case errors.Is(err, unix.EADDRINUSE):
		return fmt.Errorf("%w: it appeared while the daemon was starting", ErrSocketInUse)
	}
	return os.NewSyscallError("bind", err)
}

// listenAs sets owner and mode before it listens. Until then, connect(2) fails.
func listenAs(f *os.File, file *socketFile, o ownership) (*net.UnixListener, error) {
	if err := file.setOwnership(o); err != nil {
		return nil, err
	}
	if err := unix.Listen(int(f.Fd()), listenBacklog); err != nil {
		return nil, os.NewSyscallError("listen", err)
	}
	return fileListener(f)
}

// fileListener makes a listener with its own descriptor. The caller still
// closes f.
func fileListener(f *os.File) (*net.UnixListener, error) {
	l, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	ul, ok := l.(*net.UnixListener)
	if !ok {
		l.Close()
		return nil, fmt.Errorf("%s is not a Unix socket", f.Name())
	}
	ul.SetUnlinkOnClose(false)
	return ul, nil
}

// ownership says who may open a socket. -1 leaves an ID unchanged.
type ownership struct {
	mode     fs.FileMode
	uid, gid int
}

func (s Socket) ownership() (ownership, error) {
	o := ownership{mode: s.Mode, uid: -1, gid: -1}
	if o.mode == 0 {
		o.mode = DefaultSocketMode
	}
	if o.mode&^fs.ModePerm != 0 {
		return o, fmt.Errorf("mode %v has bits that are not permissions; use a mode such as 0660", o.mode)
	}
	if s.Owner != nil {
		o.uid = int(*s.Owner)
	}
	if s.Group != nil {
		o.gid = int(*s.Group)
	}
	return o, nil
}
