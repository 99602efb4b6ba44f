package fleetbudget

import (
	"time"

	"golang.org/x/sys/unix"
)

// BootClock is the time since the machine started, with the time that it was
// suspended: a lease ends although the daemon slept.
func BootClock() time.Duration {
	var up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up); err != nil {
		return time.Since(started) // can't happen on a kernel that runs the daemon
	}
	return time.Duration(up.Nano())
}

var started = time.Now()
