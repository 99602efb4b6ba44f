// Package rate describes rate limits: how many per period, with what burst.
package rate

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Bounds of a window. Within them, no sum of times and counts overflows in the
// code that enforces the rates.
const (
	MaxCount = 1_000_000_000
	MinPer   = time.Millisecond
	MaxPer   = 366 * 24 * time.Hour

	maxRefill = 25 * MaxPer // the time in which an empty bucket must fill
)

// Window is a rate: at most Limit in any period of Per. With Burst, it is a
// token bucket of that size that refills at Limit per Per, and so allows up to
// Burst + Limit in a period.
type Window struct {
	Limit int           // 1 to MaxCount
	Per   time.Duration // MinPer to MaxPer
	Burst int           // 0: no bucket; up to MaxCount, and must refill within 25 years
	Fleet bool          // all daemons of a fleet share it
}

// Check refuses a window that can't be enforced.
func (w Window) Check() error {
	switch {
	case w.Limit < 1 || w.Limit > MaxCount:
		return fmt.Errorf("the limit must be from 1 to %d", MaxCount)
	case w.Per < MinPer || w.Per > MaxPer:
		return fmt.Errorf("the period must be from %v to %v", MinPer, MaxPer)
	case w.Burst < 0 || w.Burst > MaxCount:
		return fmt.Errorf("the burst must be from 1 to %d, or left out", MaxCount)
	case w.Burst > 0 && int64(w.Burst) > int64(maxRefill/w.Interval()):
		return errors.New("the bucket would take decades to fill; lower the burst or raise the limit")
	}
	return nil
}

// Capacity returns how many can be taken at once.
func (w Window) Capacity() int {
	if w.Burst > 0 {
		return w.Burst
	}
	return w.Limit
}

// Interval returns the time in which a bucket gains one token. It is rounded up
// so that the rate never exceeds the limit. That costs less than limit
// nanoseconds per period, and nothing at a million per second.
func (w Window) Interval() time.Duration {
	return (w.Per + time.Duration(w.Limit) - 1) / time.Duration(w.Limit)
}

// String returns text such as "50 per 1s", "50 per 24h with bursts of 100" or
// "50 per 1h in the fleet".
func (w Window) String() string {
	text := fmt.Sprintf("%d per %s", w.Limit, FormatDuration(w.Per))
	if w.Burst > 0 {
		text += fmt.Sprintf(" with bursts of %d", w.Burst)
	}
	if w.Fleet {
		text += " in the fleet"
	}
	return text
}

// FormatDuration writes a duration as people do: 24h, not 24h0m0s.
func FormatDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
