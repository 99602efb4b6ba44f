package ratelimit

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Instant is a point in time by the clocks that go on while the daemon is down.
// Nobody can set the one that counts from the boot, so within a boot only that
// one says how much time has passed.
type Instant struct {
	Wall time.Time
	Boot string        // the kernel's ID of this boot; "" if it is unknown
	Up   time.Duration // since the boot, with the time that the machine was suspended
}

const bootIDFile = "/proc/sys/kernel/random/boot_id"

// At completes a wall clock's time with the boot clock. If the boot clock can't
// be read, Boot is empty.
func At(wall time.Time) Instant {
	now := Instant{Wall: wall}
	var up unix.Timespec
	id, err := os.ReadFile(bootIDFile)
	if err == nil {
		err = unix.ClockGettime(unix.CLOCK_BOOTTIME, &up)
	}
	if err == nil {
		now.Boot, now.Up = strings.TrimSpace(string(id)), time.Duration(up.Nano())
	}
	return now
}

// since returns how much time has passed between two instants. It is negative
// if the earlier one is in the future.
func (i Instant) since(earlier Instant) time.Duration {
	if i.Boot != "" && i.Boot == earlier.Boot {
		return i.Up - earlier.Up
	}
	return i.Wall.Sub(earlier.Wall)
}

// FutureError says that a snapshot was written in the future by this machine's
// clock. It was restored all the same, as if it had been written now.
type FutureError struct {
	Ahead time.Duration // always positive
}

func (e *FutureError) Error() string {
	return fmt.Sprintf("the budgets were saved %s in the future by this machine's clock; what was spent counts as spent now; check the clock", e.Ahead.Round(time.Millisecond))
}
