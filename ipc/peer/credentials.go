package peer

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/ipc/caller"
)

// maxPeerGroups is the kernel's NGROUPS_MAX.
const maxPeerGroups = 65536

// Credentials returns the IDs and groups that the kernel recorded at
// connect(2). It doesn't read /proc, so it can't race with the process.
func Credentials(conn syscall.Conn) (c caller.Caller, err error) {
	err = control(conn, func(fd int) error {
		cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil {
			return os.NewSyscallError("getsockopt SO_PEERCRED", err)
		}
		c.UID, c.GID, c.PID = cred.Uid, cred.Gid, cred.Pid
		c.Groups, err = peerGroups(fd)
		return err
	})
	return c, err
}

// peerGroups reads SO_PEERGROUPS (Linux 4.13). When the buffer is too small,
// the kernel returns ERANGE and the size it needs.
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

// control calls do with the descriptor of a connection.
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
