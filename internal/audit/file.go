package audit

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/internal/trustpath"
)

// file is the current file of the log. Its content is good up to end. If dirty
// is set, bytes of a failed write may follow, which must be removed first.
type file struct {
	f     *os.File
	path  string
	end   int64
	dirty bool
}

// openFile opens an existing file, or creates it with O_EXCL if create is set.
// It rejects a file that other users could change.
func openFile(o *Options, path string, create bool) (*file, error) {
	flags := os.O_RDWR | os.O_APPEND | unix.O_NOFOLLOW | unix.O_NONBLOCK
	if create {
		flags |= os.O_CREATE | os.O_EXCL
	}
	f, err := os.OpenFile(path, flags, o.Mode)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("%w: %s is a symbolic link; use the path of the file itself", ErrUnsafe, path)
	}
	if err != nil {
		return nil, err
	}
	info, err := checkFile(o.Trust, f)
	if err == nil {
		err = lockFile(f)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &file{f: f, path: path, end: info.Size()}, nil
}

// lockFile locks the file itself as well: someone may have removed the lock
// file of a running daemon.
func lockFile(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("%w: another process writes %s, and its lock file was removed; stop that process", ErrLocked, f.Name())
	}
	return err
}

// checkFile rejects a file that others than the daemon (and root) can write to.
func checkFile(trust trustpath.Rules, f *os.File) (fs.FileInfo, error) {
	if err := trust.CheckOpen(f, trustpath.Written); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsafe, err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if links := info.Sys().(*syscall.Stat_t).Nlink; links > 1 {
		return nil, fmt.Errorf("%w: %s has %d hard links; remove all but one", ErrUnsafe, f.Name(), links)
	}
	return info, nil
}

// checkPath rejects a file that others could change or replace, by any
// directory on the way to it.
func (o *Options) checkPath() error {
	_, err := o.Trust.Check(o.File, trustpath.Written)
	switch {
	case errors.Is(err, trustpath.ErrUntrusted), errors.Is(err, trustpath.ErrNotRegular):
		return fmt.Errorf("%w: %w", ErrUnsafe, err)
	case err != nil:
		return fmt.Errorf("audit: can't use the directory of the log: %w; create it, owned by the daemon's user", err)
	}
	return nil
}

// append writes all of b or, as far as any reader can tell later, none of it.
func (f *file) append(b []byte, sync bool) error {
	if err := f.clean(); err != nil {
		return &UnavailableError{Op: "clean up after a failed write", Cause: err}
	}
	if _, err := f.f.Write(b); err != nil {
		f.undo()
		return &UnavailableError{Op: "write", Cause: err}
	}
	if sync {
		if err := f.sync(); err != nil {
			f.undo()
			return &UnavailableError{Op: "sync", Cause: err}
		}
	}
	f.end += int64(len(b))
	return nil
}

func (f *file) undo() {
	f.dirty = true
	_ = f.clean() // retried before the next write
}

func (f *file) clean() error {
	if !f.dirty {
		return nil
	}
	if err := f.f.Truncate(f.end); err != nil {
		return err
	}
	f.dirty = false
	return nil
}

// sync waits until the content of the file is on disk. It returns os.ErrClosed
// if another goroutine closed the file first.
func (f *file) sync() error {
	conn, err := f.f.SyscallConn() // keeps a concurrent Close from reusing the descriptor
	if err != nil {
		return err
	}
	var synced error
	if err := conn.Control(func(fd uintptr) { synced = unix.Fdatasync(int(fd)) }); err != nil {
		return os.ErrClosed // the only reason, but Control's own error does not match it
	}
	return synced
}

// foreignChange describes what someone else did to the file since the last
// write, or returns "".
func (f *file) foreignChange() string {
	info, err := f.f.Stat()
	switch {
	case err != nil || f.dirty:
		return ""
	case f.removed():
		return "the file was removed while the log wrote to it"
	case info.Size() < f.end:
		return fmt.Sprintf("the file was cut from %d to %d bytes while the log wrote to it", f.end, info.Size())
	case info.Size() > f.end:
		return fmt.Sprintf("someone else added %d bytes to the file", info.Size()-f.end)
	}
	return ""
}

// removed reports whether no name leads to the file any more.
func (f *file) removed() bool {
	info, err := f.f.Stat()
	return err == nil && info.Sys().(*syscall.Stat_t).Nlink == 0
}

// keep returns another descriptor of the file, to read it after it was closed.
func (f *file) keep() (*os.File, error) {
	conn, err := f.f.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd, failed := -1, error(nil)
	err = conn.Control(func(own uintptr) { fd, failed = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) })
	if err := errors.Join(err, failed); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.path), nil
}

// inPlace reports whether the path still leads to this file.
func (f *file) inPlace() bool { return leadsTo(f.path, f.f) }

// lockWithin is acquireLock on a disk that may not answer. It comes first at a
// start, so nothing else waits for such a disk.
func (o *Options) lockWithin(limit time.Duration) (*os.File, error) {
	path := o.File + ".lock"
	lock, err := answerWithin(limit, func() (*os.File, error) { return acquireLock(o.Trust, path) })
	if errors.Is(err, errNoAnswer) {
		return nil, fmt.Errorf("audit: lock %s: %w; see whether its file system is frozen", path, err)
	}
	return lock, err
}

// acquireLock locks the log for this process. The lock is a separate file
// because the log file changes with rotation.
func acquireLock(trust trustpath.Rules, path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, fmt.Errorf("audit: lock: %w; check that the directory exists and the daemon can write to it", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		holder, _ := io.ReadAll(io.LimitReader(f, 20))
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: process %s holds %s; stop it, or set another audit.file for this daemon",
				ErrLocked, strings.TrimSpace(string(holder)), path)
		}
		return nil, fmt.Errorf("audit: lock %s: %w; use a file system that has locks", path, err)
	}
	if _, err := checkFile(trust, f); err != nil {
		f.Close()
		return nil, fmt.Errorf("%w; or remove it", err)
	}
	// The PID is only for people; the lock works without it.
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return f, nil
}
