package ratelimit

import "time"

// clock turns the callers' times into durations since the first that it saw, which never decrease. With times of time.Now these
// follow the monotonic clock, so setting the wall clock changes nothing.
type clock struct {
	base   time.Time
	latest time.Duration
}

// read returns the present, and by how much the given time is behind it: that much longer its giver has to wait, since nothing is
// refilled until its clock has caught up.
func (c *clock) read(now time.Time) (at, behind time.Duration) {
	if c.base.IsZero() {
		c.base = now
	}
	elapsed := now.Sub(c.base)
	c.latest = max(c.latest, elapsed)
	return c.latest, c.latest - elapsed
}
