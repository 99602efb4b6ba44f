package ratelimit

import "time"

// meter keeps the account of one window. Times are those of the limiter's clock and never decrease from call to call.
type meter interface {
	// wait returns how long until n can be taken, 0 if they can be now. The window allows n at once.
	wait(now time.Duration, n int) time.Duration
	// take spends n, which wait found to be possible.
	take(now time.Duration, n int)
	// left returns what can be taken now, and how long until all can be.
	left(now time.Duration) (remaining int, reset time.Duration)
	// spent returns what a meter of another kind or limit has to replay to be as spent as this one, oldest first.
	spent(now time.Duration) []run
	// replay spends runs whether there is room or not.
	replay([]run)
}

// run is a number of takes that lie close together: the first and the last of them, and how many.
type run struct {
	first, last time.Duration
	count       int
}

// longAgo is before any time that is replayed.
const longAgo = -10 * maxPer

func newMeter(w Window) meter {
	if w.Burst > 0 {
		return &bucket{interval: w.interval(), size: w.Burst, full: longAgo}
	}
	return &sliding{per: w.Per, grain: max(w.Per/grains, 1), limit: w.Limit}
}
