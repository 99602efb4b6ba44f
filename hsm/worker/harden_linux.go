package worker

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// harden makes the process one that leaves no trace of what it holds: no core file, no memory for a debugger of the same user, no descriptors
// that the parent's parent forgot to mark. It runs before the PIN is read.
func harden() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("hsm/worker: forbid core files: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("hsm/worker: forbid access to the memory: %w", err)
	}
	return closeStrays()
}

// closeStrays closes the descriptors that came over exec besides standard input, output, error and the pool's socket. This process's own, the Go
// runtime's among them, are marked close-on-exec; what came over exec can't be.
func closeStrays() error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("hsm/worker: look for stray descriptors: %w", err)
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
