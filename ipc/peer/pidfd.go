package peer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/ipc/caller"
)

var (
	// ErrPidfdUnsupported means that the kernel has no SO_PEERPIDFD (Linux 6.5).
	ErrPidfdUnsupported = errors.New("the kernel does not support SO_PEERPIDFD (Linux 6.5)")
	// errPeerExited means that nothing read from /proc under the peer's PID
	// counts.
	errPeerExited = errors.New("the process that connected has exited")
)

// PidfdSupported returns an error that wraps [ErrPidfdUnsupported] if the
// kernel can't tie a peer to /proc without a race. The daemon must then refuse
// to start with a policy that needs any of [caller.Attributes], which would
// stay empty.
func PidfdSupported() error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socketpair", err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	pidfd, err := unix.GetsockoptInt(pair[0], unix.SOL_SOCKET, unix.SO_PEERPIDFD)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPidfdUnsupported, err)
	}
	return unix.Close(pidfd)
}

// Supports refuses attributes that this kernel can't answer safely.
func Supports(wants caller.Attributes) error {
	if wants == (caller.Attributes{}) {
		return nil
	}
	if err := PidfdSupported(); err != nil {
		return fmt.Errorf("a client is matched by executable, unit or container: %w; upgrade the kernel, or match by user, group or listener", err)
	}
	return nil
}

// peerPidfd returns a pidfd of the process that connected. The socket refers to
// that process itself, so the pidfd can't belong to a later one with its PID.
func peerPidfd(conn syscall.Conn) (pidfd int, err error) {
	err = control(conn, func(fd int) error {
		pidfd, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PEERPIDFD)
		return os.NewSyscallError("getsockopt SO_PEERPIDFD", err)
	})
	return pidfd, err
}

// pidOf returns the PID of a pidfd's process in the daemon's namespace.
func pidOf(pidfd int) (int, error) {
	info, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(pidfd))
	if err != nil {
		return 0, err
	}
	for lines := bufio.NewScanner(bytes.NewReader(info)); lines.Scan(); {
		value, ok := strings.CutPrefix(lines.Text(), "Pid:")
		if !ok {
			continue
		}
		pid, err := strconv.Atoi(strings.TrimSpace(value))
		switch {
		case err != nil:
			return 0, err
		case pid == -1:
			return 0, errPeerExited
		case pid <= 0:
			return 0, errors.New("the process is outside the daemon's PID namespace; " +
				"run the daemon in the host's namespace, or match by user or listener")
		}
		return pid, nil
	}
	return 0, errors.New("no Pid in fdinfo")
}

// checkAlive returns nil if the pidfd's process has not exited. Once it has,
// the pidfd polls readable, even while the process is a zombie.
func checkAlive(pidfd int) error {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return os.NewSyscallError("poll", err)
		case n != 0:
			return errPeerExited
		}
		return nil
	}
}
