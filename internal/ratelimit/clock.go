package ratelimit

import "time"

// clock converts callers' times to durations since the first one, which never
// decrease. Times from time.Now follow the monotonic clock, so setting the wall
// clock changes nothing.
type clock struct {
	base   time.Time
	latest time.Duration
}

// read returns the current time, and how far the given time is behind it. The
// caller must wait that much longer, because nothing is refilled until its clock
// has caught up.
func (c *clock) read(now time.Time) (at, behind time.Duration) {
	if c.base.IsZero() {
		c.base = now
	}
	elapsed := now.Sub(c.base)
	c.latest = max(c.latest, elapsed)
	return c.latest, c.latest - elapsed
}
