package ratelimit

import (
	"slices"
	"time"

	"github.com/assertd/assertd/internal/rate"
)

// grains is how many parts a sliding window has: it remembers at most grains +
// 2 runs.
const grains = 64

// sliding allows at most limit takes in any period of per, whenever the period
// starts.
//
// A log of every take would do that exactly, but could grow to limit entries.
// This one adds takes to the same run if the run started less than a grain ago,
// and counts the whole run until its last take has left the window. So it never
// forgets a take too early, and remembers it for at most a grain too long.
// Under constant load, that costs less than 1/grains of the limit. Takes that
// are at least a grain apart are remembered exactly.
type sliding struct {
	per, grain time.Duration
	limit      int
	runs       []run // oldest first, without those that have left the window
	total      int   // of their counts
}

func (s *sliding) expire(now time.Duration) {
	over := 0
	for over < len(s.runs) && now-s.runs[over].last >= s.per {
		s.total -= s.runs[over].count
		over++
	}
	if over > 0 {
		s.runs = s.runs[:copy(s.runs, s.runs[over:])]
	}
}

func (s *sliding) wait(now time.Duration, n int) time.Duration {
	s.expire(now)
	excess := s.total + n - s.limit
	for _, r := range s.runs {
		if excess <= 0 {
			break
		}
		if excess -= r.count; excess <= 0 {
			return r.last + s.per - now
		}
	}
	return 0
}

func (s *sliding) take(now time.Duration, n int) {
	s.expire(now)
	s.add(run{first: now, last: now, count: n})
}

// add merges a run with the newest one if both fit in a grain. A replayed run
// can be older than the newest one; it then counts as equally new.
func (s *sliding) add(r run) {
	s.total += r.count
	end := len(s.runs) - 1
	if end < 0 {
		s.runs = append(s.runs, r)
		return
	}
	newest := &s.runs[end]
	r.last = max(r.last, newest.last)
	if r.last-newest.first >= s.grain {
		s.runs = append(s.runs, r)
		return
	}
	newest.last = r.last
	newest.count += r.count
}

// refund does nothing if the take has left the window.
func (s *sliding) refund(now, taken time.Duration, n int) {
	s.expire(now)
	i := slices.IndexFunc(s.runs, func(r run) bool { return r.first <= taken && taken <= r.last })
	if i < 0 || s.runs[i].count < n {
		return
	}
	s.total -= n
	if s.runs[i].count -= n; s.runs[i].count == 0 {
		s.runs = slices.Delete(s.runs, i, i+1)
	}
}

// become keeps the meter unless the window becomes a bucket: runs don't depend
// on the limit.
func (s *sliding) become(w rate.Window, now time.Duration) meter {
	if w.Burst > 0 {
		return replayed(w, s, now)
	}
	s.limit = w.Limit
	return s
}

func (s *sliding) left(now time.Duration) (int, time.Duration) {
	s.expire(now)
	if len(s.runs) == 0 {
		return s.limit, 0
	}
	return max(s.limit-s.total, 0), s.runs[len(s.runs)-1].last + s.per - now
}

func (s *sliding) usage(now time.Duration) (spent, each int64) {
	s.expire(now)
	return int64(s.total), 1
}

func (s *sliding) spent(now time.Duration) []run {
	s.expire(now)
	return append([]run(nil), s.runs...)
}

func (s *sliding) replay(runs []run) {
	for _, r := range runs {
		s.add(r)
	}
}
