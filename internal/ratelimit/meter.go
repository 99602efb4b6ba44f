package ratelimit

import (
	"time"

	"github.com/assertd/assertd/internal/rate"
)

// meter tracks the usage of one window. Times are those of the limiter's clock,
// and never decrease from call to call.
type meter interface {
	// wait returns how long until n can be taken, or 0 if they can be taken now.
	// The window allows n at once.
	wait(now time.Duration, n int) time.Duration
	// take spends n, after wait has returned 0 for it.
	take(now time.Duration, n int)
	// refund gives back n that were taken at a time. At no later time does the
	// meter then have more left than without that take.
	refund(now, taken time.Duration, n int)
	// become returns a meter for a window of the same period, with this usage.
	become(w rate.Window, now time.Duration) meter
	// left returns how many can be taken now, and how long until the window is
	// full.
	left(now time.Duration) (remaining int, reset time.Duration)
	// usage returns how much is spent, and how much one take is, in a unit of the
	// meter.
	usage(now time.Duration) (spent, each int64)
	// spent returns the usage, oldest first, for another kind of meter to replay.
	spent(now time.Duration) []run
	// replay spends runs even if there is no room.
	replay([]run)
}

// run is a number of takes that are close together: the times of the first and
// the last one, and how many.
type run struct {
	first, last time.Duration
	count       int
}

// longAgo is before any replayed time.
const longAgo = -10 * rate.MaxPer

// replayed makes a new meter with the usage of another one.
func replayed(w rate.Window, m meter, now time.Duration) meter {
	made := newMeter(w)
	made.replay(m.spent(now))
	return made
}

func newMeter(w rate.Window) meter {
	if w.Burst > 0 {
		return &bucket{interval: w.Interval(), size: w.Burst, full: longAgo}
	}
	return &sliding{per: w.Per, grain: max(w.Per/grains, 1), limit: w.Limit}
}
