package peer

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/ipc/caller"
)

// maxPeerGroups is NGROUPS_MAX of the kernel.
const maxPeerGroups = 65536

// Credentials returns the ids and groups that the kernel recorded at connect(2). It
// reads nothing of /proc and can't be raced.
func Credentials(conn syscall.Conn) (who caller.Caller, err error) {
	err = control(conn, func(fd int) error {
		cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil {
			return os.NewSyscallError("getsockopt SO_PEERCRED", err)
		}
		who.UID, who.GID, who.PID = cred.Uid, cred.Gid, cred.Pid
		who.Groups, err = peerGroups(fd)
		return err
	})
	return who, err
}

// peerGroups reads SO_PEERGROUPS (Linux 4.13), whose size the kernel tells with
// ERANGE where the buffer is too small.
func peerGroups(fd int) ([]uint32, error) {
	groups := make([]uint32, 32)
	for {
		size := uint32(len(groups) * 4)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		n := int(size / 4)
		switch {
		case errno == 0:
			return groups[:n:n], nil
		case errno == unix.ERANGE && n > len(groups) && n <= maxPeerGroups:
			groups = make([]uint32, n)
		default:
			return nil, os.NewSyscallError("getsockopt SO_PEERGROUPS", errno)
		}
	}
}

// peerPidfd returns a pidfd of the process that connected. The socket itself
// refers to that process, so the pidfd can't be of a later one with its number.
func peerPidfd(conn syscall.Conn) (pidfd int, err error) {
	err = control(conn, func(fd int) error {
		pidfd, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PEERPIDFD)
		return os.NewSyscallError("getsockopt SO_PEERPIDFD", err)
	})
	return pidfd, err
}

func control(conn syscall.Conn, do func(fd int) error) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = do(int(fd)) }); err != nil {
		return err
	}
	return failed
}

// ErrPidfdUnsupported means that the kernel has no SO_PEERPIDFD (Linux 6.5).
var ErrPidfdUnsupported = errors.New("the kernel can't name a peer by pidfd (SO_PEERPIDFD, Linux 6.5)")

// PidfdSupported returns an error that wraps [ErrPidfdUnsupported] where the
// kernel can't tie a peer to /proc without a race. A daemon whose policy wants
// any of [caller.Attributes] must then refuse to start: the server would leave them empty.
func PidfdSupported() error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socketpair", err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	pidfd, err := unix.GetsockoptInt(pair[0], unix.SOL_SOCKET, unix.SO_PEERPIDFD)
	if err != nil {
		return fmt.Errorf("%w: match callers by user, group or listener, or use a newer kernel: %w", ErrPidfdUnsupported, err)
	}
	return unix.Close(pidfd)
}
