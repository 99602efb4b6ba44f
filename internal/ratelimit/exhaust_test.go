package ratelimit

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/rate"
	"github.com/assertd/assertd/internal/trustpath"
)

// A damaged file is set aside. Long windows start empty and refill at the pace
// of their limits, so nobody gets more than that, and nobody waits for a whole
// window.
func TestDamagedFileIsSetAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "budgets")
	if err := os.WriteFile(path, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := mustNew(t, daily, Budget{"few", []rate.Window{{Limit: 6, Per: 24 * time.Hour}}})
	var damaged *DamagedError
	if err := l.Load(wall(epoch), path, trustpath.Rules{}); !errors.As(err, &damaged) || !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "remove "+path) {
		t.Fatalf("loaded with %v", err)
	}
	if kept, err := os.ReadFile(damaged.Aside); err != nil || string(kept) != "garbage" || !strings.HasPrefix(damaged.Aside, path+".damaged-2026") {
		t.Errorf("set aside as %s: %q %v", damaged.Aside, kept, err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the damaged file is still there: %v", err)
	}
	left := l.Left(epoch, "b")
	if left[0].Remaining != 0 || left[1].Remaining != 0 || left[2].Remaining != 10 {
		t.Errorf("%+v, want empty windows but for the one of a second", left)
	}
	var exceeded *Exceeded
	if _, err := l.Take(epoch, 1, "few"); !errors.As(err, &exceeded) || exceeded.RetryAfter != 4*time.Hour {
		t.Errorf("the first of six per day waits with %v", err)
	}
}

// Over any period from the damage on, no window allows more than its limit, and
// it allows nearly that.
func TestExhaustedWindowsRefillAtTheirPace(t *testing.T) {
	for _, w := range []rate.Window{
		{Limit: 1, Per: time.Minute}, {Limit: 6, Per: 24 * time.Hour}, {Limit: 64, Per: time.Hour}, {Limit: 1000, Per: time.Hour},
		{Limit: 60, Per: time.Hour, Burst: 10},
	} {
		l := mustNew(t, Budget{"b", []rate.Window{w}})
		l.Exhaust(epoch)
		taken := 0
		const steps = 4096
		for i := range steps {
			at := epoch.Add(w.Per / steps * time.Duration(i+1))
			for {
				if _, err := l.Take(at, 1, "b"); err != nil {
					break
				}
				taken++
			}
			if most := float64(w.Limit)*float64(i+1)/steps + 1; float64(taken) > most {
				t.Fatalf("%v: %d after %d of %d parts of the period", w, taken, i+1, steps)
			}
		}
		if taken < w.Limit*60/64-1 {
			t.Errorf("%v: only %d in the first period", w, taken)
		}
	}
}
