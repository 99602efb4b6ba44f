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

// lookEvery is how often a worker that opens its token looks whether the pool is still there.
const lookEvery = 100 * time.Millisecond

// opening runs open, which calls the module and can't be interrupted. If the pool goes meanwhile and open doesn't come to an end, neither does
// anything else in this process: it ends without a word, as there is nobody to hear one.
func opening(pool *net.UnixConn, open func() error) error {
	opened := make(chan struct{})
	defer close(opened)
	go func() {
		if !waitForEnd(pool, opened) {
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

// waitForEnd returns true once the pool has closed the connection, false if opened came first.
func waitForEnd(pool *net.UnixConn, opened <-chan struct{}) bool {
	ticker := time.NewTicker(lookEvery)
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

// hungUp says whether the other end of the connection is closed, and reads nothing from it.
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

// dieWithPool has the kernel end this process at once when the pool's process ends, also if the module hangs. A pool that is gone by now is noticed
// on the connection.
func dieWithPool() error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("hsm/worker: ask for a signal at the daemon's end: %w", err)
	}
	return nil
}
