package policy

import (
	"errors"
	"fmt"
	"time"
)

// Bounds of a rate window. Within them, no sum of times and counts overflows in
// the code that enforces the rates.
const (
	maxCount  = 1_000_000_000
	minPer    = time.Millisecond
	maxPer    = 366 * 24 * time.Hour
	maxRefill = 25 * maxPer // the time in which an empty bucket must fill
)

// Window is a rate: at most Limit in any period of Per or, with Burst, a bucket
// of Burst tokens that refills at Limit per Per.
type Window struct {
	Limit int           // 1 to 1e9
	Per   time.Duration // 1 ms to 366 days
	Burst int           // 0: no bucket; up to 1e9, and must refill within 25 years
}

// Check refuses a window that can't be enforced.
func (w Window) Check() error {
	switch {
	case w.Limit < 1 || w.Limit > maxCount:
		return fmt.Errorf("the limit must be from 1 to %d", maxCount)
	case w.Per < minPer || w.Per > maxPer:
		return fmt.Errorf("the period must be from %v to %v", minPer, maxPer)
	case w.Burst < 0 || w.Burst > maxCount:
		return fmt.Errorf("the burst must be from 1 to %d, or left out", maxCount)
	case w.Burst > 0 && float64(w.Burst)*float64(w.Per)/float64(w.Limit) > float64(maxRefill):
		return errors.New("the bucket would take decades to fill; lower the burst or raise the limit")
	}
	return nil
}
