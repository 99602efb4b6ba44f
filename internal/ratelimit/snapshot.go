package ratelimit

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/assertd/assertd/internal/rate"
)

const (
	snapshotVersion = 1
	shortest        = time.Minute // a restart takes about as long as shorter windows need to refill
)

// snapshot is the JSON of [Limiter.Snapshot]. Times are ages in nanoseconds
// when it was written, so the clock can be changed in between.
type snapshot struct {
	Version int           `json:"version"`
	Written time.Time     `json:"written"`
	Windows []savedWindow `json:"windows"`
}

type savedWindow struct {
	Budget string        `json:"budget"`
	Per    time.Duration `json:"per_ns"`
	Runs   []savedRun    `json:"runs"`
}

type savedRun struct {
	First time.Duration `json:"first_age_ns"`
	Last  time.Duration `json:"last_age_ns"`
	Count int           `json:"count"`
}

// Snapshot returns the usage of every window of a minute or longer, as JSON. A
// bucket's spent tokens are rounded up.
func (l *Limiter) Snapshot(now time.Time) ([]byte, error) {
	s := snapshot{Version: snapshotVersion, Written: now.UTC().Round(0), Windows: []savedWindow{}}
	l.mu.Lock()
	at, _ := l.clock.read(now)
	budgets := slices.Collect(maps.Values(l.budgets))
	l.mu.Unlock()
	for _, b := range budgets {
		s.Windows = append(s.Windows, l.save(b, at)...)
	}
	slices.SortFunc(s.Windows, func(a, b savedWindow) int {
		return cmp.Or(cmp.Compare(a.Budget, b.Budget), cmp.Compare(a.Per, b.Per))
	})
	return json.Marshal(s)
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
		if runs := b.meters[i].spent(at); len(runs) > 0 {
			windows = append(windows, savedWindow{b.Name, w.Per, age(runs, at)})
		}
	}
	return windows
}

// age counts takes that came during the snapshot as its last ones.
func age(runs []run, at time.Duration) []savedRun {
	saved := make([]savedRun, len(runs))
	for i, r := range runs {
		saved[i] = savedRun{First: max(at-r.first, 0), Last: max(at-r.last, 0), Count: r.count}
	}
	return saved
}

// Restore adds the usage in a snapshot to the current usage. The time since the
// snapshot was written counts as elapsed; if the clock is now before that, none
// has. Windows that no longer exist are ignored.
//
// If data is not a complete, plausible snapshot, the error wraps [ErrCorrupt]
// and nothing changes: a person must decide whether to start with fresh
// budgets.
func (l *Limiter) Restore(now time.Time, data []byte) error {
	s, err := parseSnapshot(data)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	passed := max(now.Sub(s.Written), 0)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changes++
	at, _ := l.clock.read(now)
	for _, w := range s.Windows {
		b := l.budgets[w.Budget]
		if i := b.find(w.Per); i >= 0 {
			runs := append(w.at(at-passed), b.meters[i].spent(at)...)
			b.meters[i] = newMeter(b.Windows[i])
			b.meters[i].replay(runs)
		}
	}
	return nil
}

// at converts ages back to times.
func (w *savedWindow) at(written time.Duration) []run {
	runs := make([]run, len(w.Runs))
	for i, r := range w.Runs {
		runs[i] = run{first: written - r.First, last: written - r.Last, count: r.Count}
	}
	return runs
}

func parseSnapshot(data []byte) (*snapshot, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var s snapshot
	if err := decoder.Decode(&s); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("extra data after the snapshot")
	}
	return &s, s.check()
}

func (s *snapshot) check() error {
	if s.Version != snapshotVersion {
		return fmt.Errorf("unsupported version %d; this program reads version %d", s.Version, snapshotVersion)
	}
	if s.Written.IsZero() || s.Windows == nil {
		return errors.New("written or windows is missing")
	}
	type id struct {
		budget string
		per    time.Duration
	}
	seen := make(map[id]bool, len(s.Windows))
	for _, w := range s.Windows {
		if seen[id{w.Budget, w.Per}] {
			return fmt.Errorf("duplicate window per %v of budget %q", w.Per, w.Budget)
		}
		seen[id{w.Budget, w.Per}] = true
		if err := w.check(); err != nil {
			return fmt.Errorf("window per %v of budget %q: %w", w.Per, w.Budget, err)
		}
	}
	return nil
}

// check requires runs that a meter can have: oldest first, none impossibly old,
// and few enough that their sum can't overflow.
func (w *savedWindow) check() error {
	if w.Per < shortest || w.Per > rate.MaxPer || len(w.Runs) == 0 || len(w.Runs) > grains+2 {
		return errors.New("impossible window")
	}
	before := 2 * w.Per
	for _, r := range w.Runs {
		if r.Count < 1 || int64(r.Count) > 1000*rate.MaxCount || r.First < r.Last || r.Last < 0 || r.First > before {
			return errors.New("impossible usage")
		}
		before = r.Last
	}
	return nil
}
