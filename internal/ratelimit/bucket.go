package ratelimit

import "time"

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

func (b *bucket) left(now time.Duration) (int, time.Duration) {
	debt := b.debt(now)
	return int(max(b.depth()-debt, 0) / b.interval), debt
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
