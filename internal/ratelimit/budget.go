package ratelimit

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Limits on windows, which keep sums of times and counts from overflowing.
const (
	maxCount  = 1_000_000_000
	maxPer    = 366 * 24 * time.Hour
	maxRefill = 50 * 366 * 24 * time.Hour // for an empty bucket to fill
)

// Budget is a name and its windows, which must all have room.
type Budget struct {
	Name    string
	Windows []Window // if empty, the budget limits nothing
}

// Window is a rate: at most Limit in any period of Per. With Burst, it is a token
// bucket of that size that refills at Limit per Per, and so allows up to
// Burst + Limit in a period. Each window of a budget has its own Per.
type Window struct {
	Limit int           // 1 to 1e9
	Per   time.Duration // up to 366 days
	Burst int           // 0: not set; up to 1e9, and refilled within 50 years
}

// String returns text such as "50 per 1s" or "50 per 24h with bursts of 100".
func (w Window) String() string {
	if w.Burst == 0 {
		return fmt.Sprintf("%d per %s", w.Limit, formatDuration(w.Per))
	}
	return fmt.Sprintf("%d per %s with bursts of %d", w.Limit, formatDuration(w.Per), w.Burst)
}

// formatDuration writes a duration as people do: 24h, not 24h0m0s.
func formatDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// most returns how many can be taken at once.
func (w Window) most() int {
	if w.Burst > 0 {
		return w.Burst
	}
	return w.Limit
}

// interval returns the time in which a bucket gains one token. It is rounded up so
// that the rate never exceeds the limit. That costs less than limit nanoseconds
// per period, and nothing at a million per second.
func (w Window) interval() time.Duration {
	return (w.Per + time.Duration(w.Limit) - 1) / time.Duration(w.Limit)
}

func check(budgets []Budget) error {
	var problems []error
	names := make(map[string]bool, len(budgets))
	for _, b := range budgets {
		if b.Name == "" || names[b.Name] {
			problems = append(problems, fmt.Errorf("budget %q: give each budget its own name", b.Name))
		}
		names[b.Name] = true
		periods := make(map[time.Duration]bool, len(b.Windows))
		for _, w := range b.Windows {
			if err := w.check(); err != nil {
				problems = append(problems, fmt.Errorf("budget %q, %v: %w", b.Name, w, err))
			}
			if periods[w.Per] {
				problems = append(problems, fmt.Errorf("budget %q: two windows are per %v; keep the stricter one", b.Name, w.Per))
			}
			periods[w.Per] = true
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("%w: %w", ErrInvalid, errors.Join(problems...))
	}
	return nil
}

func (w Window) check() error {
	switch {
	case w.Limit < 1 || w.Limit > maxCount:
		return fmt.Errorf("the limit must be from 1 to %d", maxCount)
	case w.Per < time.Millisecond || w.Per > maxPer:
		return fmt.Errorf("the period must be from %v to %v", time.Millisecond, maxPer)
	case w.Burst < 0 || w.Burst > maxCount:
		return fmt.Errorf("the burst must be from 1 to %d, or 0 for none", maxCount)
	case w.Burst > 0 && int64(w.Burst) > int64(maxRefill/w.interval()):
		return errors.New("the bucket would take more than 50 years to fill; lower the burst or raise the limit")
	}
	return nil
}
