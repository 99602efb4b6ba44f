package server

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/internal/logging"
)

// reservedDescriptors are for everything but callers' connections: to replace
// workers, rotate files, read /proc, and answer operators and monitoring.
const reservedDescriptors = 16

// PossibleConnections returns how many connections callers can have open: the
// limit, or fewer if the process can't have enough descriptors for them and for
// the others, those of other listeners. It logs why.
func PossibleConnections(limit, others int, logger logging.Logger) int {
	allowed, free, err := descriptors()
	if err != nil {
		logger.Warn("the limit on file descriptors is unknown", "error", err)
		return limit
	}
	possible := limit
	for possible > 1 && possible+refusedAtOnce(possible)+reservedDescriptors+others > free {
		possible--
	}
	if possible < limit {
		logger.Warn("the process's limit on file descriptors allows fewer connections than limits.connections; raise it (LimitNOFILE, ulimit -n), or lower limits.connections",
			"limits.connections", limit, "descriptors", allowed, "connections", possible)
	}
	return possible
}

// descriptors returns how many descriptors this process may have, and how many
// of these are free. Go's runtime has raised the soft limit to the hard limit.
func descriptors() (allowed, free int, err error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, 0, os.NewSyscallError("getrlimit", err)
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0, 0, err
	}
	allowed = int(min(limit.Cur, 1<<30))
	return allowed, allowed - len(open), nil
}
