package ratelimit

import "time"

// Taken is what one Take spent.
type Taken struct {
	limiter  *Limiter
	at       time.Duration
	n        int
	counters []*counter // nil once it was given back
}

// spend takes from the counters, which have room.
func (t *Taken) spend(counters []*counter) {
	for _, c := range counters {
		c.take(t.at, t.n)
	}
	t.counters = append(t.counters, counters...)
}

// Refund gives back what was taken, as if it had never been. What a window has
// regained by itself since is not given back again, so no window ever allows
// more than its limit of what is kept. That includes a window that a reload
// changed meanwhile. A second Refund does nothing, and neither does one into a
// window that a reload has made.
func (t *Taken) Refund(now time.Time) {
	t.limiter.mu.Lock()
	defer t.limiter.mu.Unlock()
	at, _ := t.limiter.clock.read(now)
	t.limiter.changes++
	for _, c := range t.counters {
		c.refund(at, t.at, t.n)
	}
	t.counters = nil
}
