package worker

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/hsm/wire"
)

// pollInterval is how often a worker that opens its token checks that the pool
// is still there.
const pollInterval = 100 * time.Millisecond

// openUnlessAbandoned runs open, which calls the module and can't be
// interrupted. If the pool closes the connection meanwhile and open doesn't
// return within wire.OpenGrace, the process exits silently: nobody is left to
// tell. The worker gets its death signal only once it is logged in, because a
// kill during the login can cost the token.
func openUnlessAbandoned(pool *net.UnixConn, open func() error) error {
	opened := make(chan struct{})
	defer close(opened)
	go func() {
		if !waitForHangup(pool, opened) {
			return
		}
		select {
		case <-opened:
		case <-time.After(wire.OpenGrace):
			os.Exit(1)
		}
	}()
	if err := open(); err != nil {
		return err
	}
	return dieWithPool()
}

// waitForHangup returns true once the pool has closed the connection, false if
// opened came first.
func waitForHangup(pool *net.UnixConn, opened <-chan struct{}) bool {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for !hungUp(pool) {
		select {
		case <-opened:
			return false
		case <-ticker.C:
		}
	}
	return true
}

// hungUp reports whether the other end of the connection is closed. It reads
// nothing.
func hungUp(conn *net.UnixConn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return true
	}
	fds := []unix.PollFd{{Events: unix.POLLRDHUP}}
	err = raw.Control(func(fd uintptr) {
		fds[0].Fd = int32(fd)
		for {
			if _, err := unix.Poll(fds, 0); !errors.Is(err, unix.EINTR) {
				return
			}
		}
	})
	return err != nil || fds[0].Revents != 0
}

// dieWithPool has the kernel kill this process when the pool's process ends,
// even if the module hangs. If the pool is gone already, the connection shows
// it.
func dieWithPool() error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("hsm/worker: request the parent-death signal: %w", err)
	}
	return nil
}
