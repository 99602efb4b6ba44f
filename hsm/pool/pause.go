package pool

import (
	"math/rand/v2"
	"time"
)

// firstPause and longestPause bound the time between two attempts to start a
// worker. A token that comes back is in use again within the longest pause and
// the time that a start takes.
const (
	firstPause   = 50 * time.Millisecond
	longestPause = time.Second
)

// pause is how long to wait before the attempt after n failures: doubled each
// time, up to the longest, and a random part of between a half and the whole of
// it, so that the workers of many daemons don't restart in step.
func pause(n int) time.Duration {
	if n <= 0 {
		return 0
	}
	full := longestPause
	if n < 6 {
		full = min(firstPause<<(n-1), longestPause)
	}
	return full/2 + rand.N(full/2)
}
