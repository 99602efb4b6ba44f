package ratelimit

import (
	"time"

	"github.com/assertd/assertd/internal/rate"
)

// bucket is a token bucket in the form of the generic cell rate algorithm
// (ITU-T I.371): instead of a level that must be refilled, it keeps the time at
// which it will be full.
type bucket struct {
	interval time.Duration // to gain one token
	size     int
	full     time.Duration
}

func (b *bucket) depth() time.Duration { return time.Duration(b.size) * b.interval }

// debt returns how long until the bucket is full.
func (b *bucket) debt(now time.Duration) time.Duration { return max(b.full-now, 0) }

func (b *bucket) wait(now time.Duration, n int) time.Duration {
	return max(b.debt(now)+time.Duration(n)*b.interval-b.depth(), 0)
}

func (b *bucket) take(now time.Duration, n int) {
	b.full = max(b.full, now) + time.Duration(n)*b.interval
}

// refund keeps what was refilled since the take: a bucket that was never
// emptied would have overflowed instead. With all takes that are kept, in any
// period, full then stays at or above what it would be without the refunded
// ones.
func (b *bucket) refund(now, taken time.Duration, n int) {
	b.full -= max(time.Duration(n)*b.interval-(now-taken), 0)
}

func (b *bucket) become(w rate.Window, now time.Duration) meter {
	if w.Burst == b.size && w.Interval() == b.interval {
		return b
	}
	return replayed(w, b, now)
}

func (b *bucket) left(now time.Duration) (int, time.Duration) {
	debt := b.debt(now)
	return int(max(b.depth()-debt, 0) / b.interval), debt
}

func (b *bucket) usage(now time.Duration) (spent, each int64) {
	return int64(b.debt(now)), int64(b.interval)
}

// spent counts a partly refilled token as spent.
func (b *bucket) spent(now time.Duration) []run {
	missing := int((b.debt(now) + b.interval - 1) / b.interval)
	if missing == 0 {
		return nil
	}
	return []run{{first: now, last: now, count: missing}}
}

// replay leaves the bucket empty at worst: a smaller bucket doesn't inherit a
// larger one's debt.
func (b *bucket) replay(runs []run) {
	for _, r := range runs {
		b.take(r.last, min(r.count, b.size))
		b.full = min(b.full, r.last+b.depth())
	}
}
