package peer

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// socketFile is a socket's directory entry. Device and inode tell it from a
// later one of the same name: the inode can't be reused while the socket is
// open.
type socketFile struct {
	place    *socketPlace
	lock     *socketLock
	dev, ino uint64
}

// newSocketFile finds the entry that bind has just made.
func newSocketFile(place *socketPlace, lock *socketLock) (*socketFile, error) {
	fd, st, err := place.open()
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK || int(st.Uid) != os.Geteuid() {
		return nil, place.swapped()
	}
	return &socketFile{place: place, lock: lock, dev: st.Dev, ino: st.Ino}, nil
}

// setOwnership sets owner and mode by a descriptor of the entry, and only if it
// is still the one that bind made: a name may lead elsewhere by now.
func (f *socketFile) setOwnership(o ownership) error {
	fd, st, err := f.place.open()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if !f.is(&st) {
		return f.place.swapped()
	}
	if o.uid >= 0 || o.gid >= 0 {
		if err := unix.Fchownat(fd, "", o.uid, o.gid, unix.AT_EMPTY_PATH); err != nil {
			return fmt.Errorf("chown: %w; to change the socket's owner, run the daemon as root; to change its group, as a member of that group", err)
		}
	}
	// fchmod(2) doesn't take an O_PATH descriptor.
	return os.Chmod(procPath(fd), o.mode)
}

func procPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

func (f *socketFile) is(st *unix.Stat_t) bool { return st.Dev == f.dev && st.Ino == f.ino }

// remove unlinks the entry if it is still ours. Call it before closing the
// socket.
func (f *socketFile) remove() error {
	var st unix.Stat_t
	err := unix.Fstatat(f.place.fd(), f.place.name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) || (err == nil && !f.is(&st)) {
		return nil
	}
	if err != nil {
		return os.NewSyscallError("fstatat", err)
	}
	return f.place.unlink(f.place.name)
}

// socketLock keeps two daemons from probing and replacing a socket at the same
// time. Anyone who can open a file can lock it, so only the daemon's user can
// open this one. It is held as long as the socket is open.
type socketLock struct {
	file  *os.File
	place *socketPlace
	name  string
}

func (p *socketPlace) lock() (*socketLock, error) {
	l := &socketLock{place: p, name: p.name + ".lock"}
	path := p.path + ".lock"
	for {
		f, err := p.openLock(l.name, path)
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
		if p.holds(l.name, f) {
			l.file = f
			return l, nil
		}
		f.Close()
	}
}

func (p *socketPlace) openLock(name, path string) (*os.File, error) {
	fd, err := unix.Openat(p.fd(), name, unix.O_CREAT|unix.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		f.Close()
		return nil, os.NewSyscallError("fstat", err)
	}
	if int(st.Uid) != os.Geteuid() || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o077 != 0 {
		f.Close()
		return nil, fmt.Errorf("%s is not a regular file with mode 0600 that the daemon's user owns; remove it", path)
	}
	return f, nil
}

// release removes the lock file while it is still locked, then unlocks it.
func (l *socketLock) release() {
	_ = l.place.unlink(l.name)
	l.file.Close()
}
