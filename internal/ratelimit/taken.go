package ratelimit

import "time"

// Taken is what one Take spent.
type Taken struct {
	limiter *Limiter
	at      time.Duration
	n       int
	meters  []meter // nil once it was given back
}

// spend takes from the meters, which have room.
func (t *Taken) spend(meters []meter) {
	for _, m := range meters {
		m.take(t.at, t.n)
	}
	t.meters = append(t.meters, meters...)
}

// Refund gives back what was taken, as if it had never been. What a window has
// regained by itself since is not given back again, so no window ever allows
// more than its limit of what is kept. A second Refund does nothing, and
// neither does one into a window that a reload has made, or made again with or
// as a bucket.
func (t *Taken) Refund(now time.Time) {
	t.limiter.mu.Lock()
	defer t.limiter.mu.Unlock()
	at, _ := t.limiter.clock.read(now)
	t.limiter.changes++
	for _, m := range t.meters {
		m.refund(at, t.at, t.n)
	}
	t.meters = nil
}
