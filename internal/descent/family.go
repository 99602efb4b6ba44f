package descent

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// ErrUnknown means that it can't be told whether a process is a descendant.
var ErrUnknown = errors.New("can't tell whether a process descends from the daemon")

// maxDepth bounds the walk from a process to its ancestors, which a descendant
// could otherwise make as long as it likes.
const maxDepth = 64

// Family is this process and its descendants. A nil Family has no descendants.
type Family struct {
	self  int
	uids  []uint32
	found atomic.Int64
}

// Adopt makes this process the next parent of all orphans among its
// descendants. They run with this process's user or one of the others, and
// can't get another user. Call Reap afterwards.
func Adopt(others ...uint32) (*Family, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("become the parent of orphaned descendants: %w", err)
	}
	return &Family{self: os.Getpid(), uids: append(others, uint32(os.Geteuid()))}, nil
}

// CanHave reports whether a descendant can have the user. It costs nothing, and
// most processes need no walk after it.
func (f *Family) CanHave(uid uint32) bool { return f != nil && slices.Contains(f.uids, uid) }

// Descendant reports whether the process that pidfd refers to descends from
// this one. This process itself doesn't. The error is ErrUnknown if the process
// has exited, if the walk is too long, or on a kernel without pidfds.
func (f *Family) Descendant(pidfd, pid int) (bool, error) {
	if pid == f.self {
		return false, nil
	}
	child, err := unix.FcntlInt(uintptr(pidfd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	defer func() { unix.Close(child) }()
	for range maxDepth {
		parent, ppid, err := openParent(child, pid)
		switch {
		case err != nil:
			return false, fmt.Errorf("%w: %w", ErrUnknown, err)
		case ppid == f.self:
			f.found.Add(1)
			return true, nil
		case parent < 0:
			return false, nil
		}
		unix.Close(child)
		child, pid = parent, ppid
	}
	return false, fmt.Errorf("%w: it has more than %d ancestors", ErrUnknown, maxDepth)
}

// Found returns how many descendants Descendant has found.
func (f *Family) Found() int64 {
	if f == nil {
		return 0
	}
	return f.found.Load()
}

// openParent returns a pidfd and the PID of a process's parent. The pidfd is -1
// if the parent is init, or outside this PID namespace. If the process's parent
// is the same before and after the pidfd was opened, it belongs to that parent:
// a process that loses its parent gets one of its older ancestors, so the PID
// can't be that of another process in between.
func openParent(child, pid int) (parent, ppid int, err error) {
	ppid, err = parentOf(child, pid)
	if err != nil || ppid <= 1 || ppid == os.Getpid() {
		return -1, ppid, err
	}
	parent, err = unix.PidfdOpen(ppid, 0)
	if errors.Is(err, unix.ESRCH) { // it has just exited
		return openParent(child, pid)
	}
	if err != nil {
		return -1, 0, os.NewSyscallError("pidfd_open", err)
	}
	if again, err := parentOf(child, pid); err != nil || again != ppid {
		unix.Close(parent)
		if err != nil {
			return -1, 0, err
		}
		return openParent(child, pid)
	}
	return parent, ppid, nil
}
