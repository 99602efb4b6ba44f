package ratelimit

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/assertd/assertd/internal/rate"
)

// shortest is the shortest period that is saved: a restart takes about as long
// as shorter windows need to refill.
const shortest = time.Minute

// snapshot is the usage of the long windows.
type snapshot struct {
	written Instant
	windows []savedWindow
}

// savedWindow is a window of which something is spent.
type savedWindow struct {
	budget string
	per    time.Duration
	runs   []savedRun // oldest first
}

// savedRun is a run by its ages when it was saved, so the clock can be changed
// afterwards.
type savedRun struct {
	first, last time.Duration
	count       int
}

// Snapshot returns the usage of every window of a minute or longer of which
// something is spent, in the format of the budgets file. A bucket's spent
// tokens are rounded up.
func (l *Limiter) Snapshot(now Instant) ([]byte, error) {
	l.mu.Lock()
	at, _ := l.clock.read(now.Wall)
	budgets := slices.Collect(maps.Values(l.budgets))
	l.mu.Unlock()
	slices.SortFunc(budgets, func(a, b *budget) int { return cmp.Compare(a.Name, b.Name) })
	data, err := newHeader(now).encode()
	if err != nil {
		return nil, err
	}
	for _, b := range budgets {
		for _, w := range l.save(b, at) {
			data = w.append(data)
		}
	}
	return binary.BigEndian.AppendUint32(data, checksum(data)), nil
}

// save copies the usage of one budget, so that decisions wait for no more than
// that.
func (l *Limiter) save(b *budget, at time.Duration) (windows []savedWindow) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, w := range b.Windows {
		if w.Per < shortest {
			continue
		}
		if runs := b.counters[i].spent(at); len(runs) > 0 {
			windows = append(windows, savedWindow{b.Name, w.Per, age(runs, at)})
		}
	}
	return windows
}

// age counts takes that came during the snapshot as its last ones.
func age(runs []run, at time.Duration) []savedRun {
	saved := make([]savedRun, len(runs))
	for i, r := range runs {
		saved[i] = savedRun{max(at-r.first, 0), max(at-r.last, 0), r.count}
	}
	return saved
}

// Restore adds the usage in a snapshot to the current usage. The time since the
// snapshot was written counts as elapsed: by the boot clock within a boot, and
// by the wall clock across boots. If the snapshot is from the future, nothing
// has elapsed, and the error is a [*FutureError] although the usage was added.
// Windows that no longer exist are ignored.
//
// If data is not a complete, plausible snapshot, the error wraps [ErrCorrupt]
// and nothing changes: a person must decide whether to start with fresh
// budgets.
func (l *Limiter) Restore(now Instant, data []byte) error {
	s, err := parseSnapshot(data)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	passed := now.since(s.written)
	l.add(s.windows, now.Wall, max(passed, 0))
	if passed < 0 {
		return &FutureError{Ahead: -passed}
	}
	return nil
}

// add adds usage that was saved a time ago.
func (l *Limiter) add(windows []savedWindow, now time.Time, passed time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changes++
	at, _ := l.clock.read(now)
	for _, w := range windows {
		b := l.budgets[w.budget]
		if i := b.find(w.per); i >= 0 {
			runs := append(w.at(at-passed), b.counters[i].spent(at)...)
			b.counters[i] = newCounter(b.Windows[i])
			b.counters[i].replay(runs)
		}
	}
}

// at converts ages back to times.
func (w *savedWindow) at(written time.Duration) []run {
	runs := make([]run, len(w.runs))
	for i, r := range w.runs {
		runs[i] = run{first: written - r.first, last: written - r.last, count: r.count}
	}
	return runs
}

func (s *snapshot) check() error {
	if s.written.Wall.IsZero() {
		return errors.New("the time when it was written is missing")
	}
	type id struct {
		budget string
		per    time.Duration
	}
	seen := make(map[id]bool, len(s.windows))
	for _, w := range s.windows {
		if seen[id{w.budget, w.per}] {
			return fmt.Errorf("duplicate window per %v of budget %q", w.per, w.budget)
		}
		seen[id{w.budget, w.per}] = true
		if err := w.check(); err != nil {
			return fmt.Errorf("window per %v of budget %q: %w", w.per, w.budget, err)
		}
	}
	return nil
}

// check requires runs that a meter can have: oldest first, none impossibly old,
// and few enough that their sum can't overflow.
func (w *savedWindow) check() error {
	if w.per < shortest || w.per > rate.MaxPer || len(w.runs) == 0 || len(w.runs) > maxRuns {
		return errImpossible
	}
	before := 2 * w.per
	for _, r := range w.runs {
		if r.count < 1 || int64(r.count) > maxSaved || r.first < r.last || r.last < 0 || r.first > before {
			return errImpossible
		}
		before = r.last
	}
	return nil
}
