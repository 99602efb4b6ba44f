package worker

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// harden keeps the process from leaking what it holds: no core files, no access
// for debuggers of the same user, no descriptors inherited by mistake. It runs
// before the PIN is read.
func harden() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("hsm/worker: disable core files: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("hsm/worker: make the process undumpable: %w", err)
	}
	return closeInherited()
}

// closeInherited closes descriptors that survived exec, except standard input,
// output, error and the pool's socket. This process's own, including those of
// the Go runtime, are marked close-on-exec; inherited ones can't be.
func closeInherited() error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("hsm/worker: list descriptors: %w", err)
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd <= FD {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			_ = unix.Close(fd)
		}
	}
	return nil
}
