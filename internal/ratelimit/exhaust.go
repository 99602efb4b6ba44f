package ratelimit

import (
	"time"

	"github.com/assertd/assertd/internal/rate"
)

// Exhaust spends every window of a minute or longer whose usage is unknown. It
// then refills at the pace of its limit, like an empty bucket: a sliding window
// counts as spent evenly over the period before.
//
// Full windows would give every caller a second limit at once. Windows that
// were spent just now would lock out callers with a daily limit for a day. This
// way each caller goes on, and no faster than its limit on average. At worst,
// with a limit that was spent just before, a period has almost twice the limit,
// once.
func (l *Limiter) Exhaust(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changes++
	at, _ := l.clock.read(now)
	for _, b := range l.budgets {
		for i, w := range b.Windows {
			if w.Per >= shortest {
				b.counters[i] = newCounter(w)
				b.counters[i].replay(spentEvenly(w, at))
			}
		}
	}
}

// spentEvenly is the usage of a window that was spent at the pace of its limit.
func spentEvenly(w rate.Window, at time.Duration) []run {
	if w.Burst > 0 {
		return []run{{first: at, last: at, count: w.Burst}}
	}
	runs := make([]run, min(w.Limit, grains))
	for i := range runs {
		passed := at - w.Per + part(w.Per, i+1, len(runs))
		runs[i] = run{first: passed, last: passed, count: part(w.Limit, i+1, len(runs)) - part(w.Limit, i, len(runs))}
	}
	return runs
}

// part returns n/of of a whole, without overflow.
func part[T int | time.Duration](whole T, n, of int) T {
	return whole/T(of)*T(n) + whole%T(of)*T(n)/T(of)
}
