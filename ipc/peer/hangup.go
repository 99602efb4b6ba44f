package peer

import (
	"io"

	"golang.org/x/sys/unix"
)

// AwaitHangup waits until the peer is gone: until it has closed the connection,
// and not only its sending side. It then returns [io.EOF]. Any other error is
// that of a Read, such as one that the read deadline causes.
func (c *Conn) AwaitHangup() error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	if err := raw.Read(hungUp); err != nil {
		return err
	}
	return io.EOF
}

// hungUp reports whether both directions are shut down. A peer that has closed
// only its sending side sets POLLRDHUP, not POLLHUP.
func hungUp(fd uintptr) bool {
	set := []unix.PollFd{{Fd: int32(fd)}} // POLLHUP is always reported
	for {
		_, err := unix.Poll(set, 0)
		if err != unix.EINTR {
			return err != nil || set[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
		}
	}
}
