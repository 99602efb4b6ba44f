package ratelimit

import (
	"context"
	"time"

	"github.com/assertd/assertd/internal/fleetbudget"
)

// Taken is what one Take spent.
type Taken struct {
	limiter  *Limiter
	at       time.Duration
	n        int
	counters []*counter // nil once it was given back
	shared   []shared   // windows of the fleet
	awaiting []*counter // of these windows, until the fleet has decided
	granted  *fleetbudget.Taken
}

// spend takes from the counters, which have room.
func (t *Taken) spend(b *budget) {
	for _, c := range b.counters {
		c.take(t.at, t.n)
	}
	t.counters = append(t.counters, b.counters...)
	for _, s := range b.shared {
		c := s.counter()
		c.undecided += t.n
		t.awaiting = append(t.awaiting, c)
	}
	t.shared = append(t.shared, b.shared...)
}

// decided notes that the fleet has decided, or will not be asked.
func (t *Taken) decided() {
	for _, c := range t.awaiting {
		c.undecided -= t.n
	}
	t.awaiting = nil
}

// Share takes from the fleet's windows, if there are any, and may ask the store
// that the fleet shares. On an error everything is given back. The error is an
// [*Exceeded] if waiting helps, and wraps [ErrUnavailable] if the store doesn't
// answer.
func (t *Taken) Share(ctx context.Context) error {
	if len(t.shared) == 0 {
		return nil
	}
	return t.limiter.fleet.take(ctx, t)
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
	t.refund(at)
}

func (t *Taken) refund(at time.Duration) {
	t.limiter.changes++
	t.decided()
	if t.granted != nil {
		t.limiter.fleet.agent.Refund(t.granted)
		t.granted = nil
	}
	for _, c := range t.counters {
		c.refund(at, t.at, t.n)
	}
	t.counters = nil
}
