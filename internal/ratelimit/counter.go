package ratelimit

import (
	"time"

	"github.com/assertd/assertd/internal/rate"
)

// counter counts the usage of one window of a budget. When a reload makes a
// window a bucket, or changes one, another counter takes over; requests in
// flight may still give back to the former one.
type counter struct {
	meter
	heir      *counter      // nil while this one counts
	inherited time.Duration // when the heir took over
	window    rate.Window   // of the heir
	lost      *lost         // the host's share, of a window of the fleet
	undecided int           // taken by requests that the fleet hasn't decided
}

func newCounter(w rate.Window) *counter { return &counter{meter: newMeter(w)} }

// carry returns the counter for a window of the same period, with this usage.
func (c *counter) carry(w rate.Window, now time.Duration) *counter {
	next := c.become(w, now)
	if next == c.meter {
		return c
	}
	c.heir, c.inherited, c.window = &counter{meter: next}, now, w
	return c.heir
}

// refund gives back n that were taken at a time. The heir gets back what it
// would not have inherited without that take. The meter that no longer counts
// records the refund too, since what the next one changes depends on it.
func (c *counter) refund(now, taken time.Duration, n int) {
	if c.heir == nil {
		c.meter.refund(now, taken, n)
		return
	}
	with, each := c.legacy()
	c.meter.refund(c.inherited, taken, n)
	without, _ := c.legacy()
	if less := int((with - without) / each); less > 0 {
		c.heir.refund(now, c.inherited, less)
	}
}

// legacy is how much the heir inherits as spent, and how much one take is.
func (c *counter) legacy() (spent, each int64) {
	return replayed(c.window, c.meter, c.inherited).usage(c.inherited)
}
