package sandbox

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// maxFiles is how many descriptors a worker can have: far more than a module
// needs for its sessions, far fewer than the system has.
const maxFiles = 4096

// limit bounds what this process can take from others: memory bytes of
// writable private memory, with the stacks of its threads, and descriptors. CPU
// time has no limit, because it counts over the whole life of a process.
func limit(memory uint64) error {
	for _, l := range []struct {
		name     string
		resource int
		at       uint64
	}{{"memory", unix.RLIMIT_DATA, memory}, {"descriptors", unix.RLIMIT_NOFILE, maxFiles}} {
		var now unix.Rlimit
		err := unix.Getrlimit(l.resource, &now)
		if err == nil && l.at != 0 {
			now.Max = min(now.Max, l.at)
			now.Cur = min(now.Cur, now.Max)
			err = unix.Prlimit(0, l.resource, &now, nil) // systemd's filter allows no setrlimit
		}
		if err != nil {
			return fmt.Errorf("sandbox: limit %s: %w", l.name, err)
		}
	}
	return nil
}
