package ratelimit

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/rate"
)

func TestRestoreCountsTimeByTheBootClock(t *testing.T) {
	const up = 100 * time.Hour
	saved := Instant{epoch, "a-boot", up}
	for _, test := range []struct {
		name  string
		now   Instant
		left  int // of 100 per day, after 10 were taken 23 hours before the file was written
		ahead time.Duration
	}{
		{"a moment later", Instant{epoch.Add(time.Second), "a-boot", up + time.Second}, 90, 0},
		{"two hours later", Instant{epoch.Add(2 * time.Hour), "a-boot", up + 2*time.Hour}, 100, 0},
		{"a moment later, with the clock in the future", Instant{epoch.AddDate(1, 0, 0), "a-boot", up + time.Second}, 90, 0},
		{"two hours later, with the clock set back", Instant{epoch.AddDate(-1, 0, 0), "a-boot", up + 2*time.Hour}, 100, 0},
		{"after a boot", Instant{epoch.Add(time.Minute), "next-boot", time.Second}, 90, 0},
		{"two hours later, after a boot", Instant{epoch.Add(2 * time.Hour), "next-boot", time.Second}, 100, 0},
		{"after a boot, with the clock set back", Instant{epoch.Add(-time.Hour), "next-boot", up + time.Hour}, 90, time.Hour},
		{"in a container with a boot clock of its own", Instant{epoch.Add(time.Minute), "a-boot", up - time.Hour}, 90, time.Hour},
		{"without a boot clock", Instant{Wall: epoch.Add(2 * time.Hour)}, 100, 0},
	} {
		l := mustNew(t, daily)
		mustTake(t, l, epoch.Add(-23*time.Hour), 10, "b")
		fresh := mustNew(t, daily)
		err := fresh.Restore(test.now, snapshotOf(t, l, saved))
		var future *FutureError
		if errors.As(err, &future) != (test.ahead > 0) || err != nil && (future == nil || future.Ahead != test.ahead) {
			t.Errorf("%s: %v", test.name, err)
		}
		if left := fresh.Left(test.now.Wall, "b")[0]; left.Remaining != test.left {
			t.Errorf("%s: %d left, want %d", test.name, left.Remaining, test.left)
		}
	}
}

// machine is a machine whose wall clock anyone can set.
type machine struct {
	up   time.Duration
	skew time.Duration
}

func (m machine) now() Instant {
	return Instant{epoch.Add(m.up + m.skew), "a-boot", m.up}
}

// Within a boot no way of setting the clock gives anything back: restarts and
// jumps of the wall clock, in any order, never allow more than the limit in a
// period of the boot clock.
func TestNoClockGivesBudgetsBackWithinABoot(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 5))
		w := rate.Window{Limit: 1 + random.IntN(40), Per: time.Minute * time.Duration(1+random.IntN(3))}
		budget := Budget{"b", []rate.Window{w}}
		var m machine
		l, start, takes := mustNew(t, budget), m, []taken(nil)
		for range 200 {
			m.up += step(random, w.Per)
			if random.IntN(10) == 0 {
				data := snapshotOf(t, l, start.at(m.up))
				m.skew = time.Duration(random.Int64N(int64(2000*24*time.Hour))) - 1000*24*time.Hour
				l, start = mustNew(t, budget), m
				if err := l.Restore(m.now(), data); err != nil {
					t.Fatal(err)
				}
			}
			n := 1 + random.IntN(w.Limit)
			if _, err := l.Take(start.at(m.up).Wall, n, "b"); err != nil {
				continue
			}
			takes = append(takes, taken{epoch.Add(m.up), n})
			if sum := within(takes, w.Per); sum > w.Limit {
				t.Fatalf("seed %d: %d within %v, limit is %d", seed, sum, w.Per, w.Limit)
			}
		}
	}
}

// at is the time for a process that started on this machine: its wall clock
// goes on from the start, as that of time.Now.
func (m machine) at(up time.Duration) Instant {
	m.up = up
	return m.now()
}

func TestAtReadsTheBootClock(t *testing.T) {
	first := At(time.Now())
	if len(first.Boot) != 36 || first.Up <= 0 {
		t.Fatalf("%+v", first)
	}
	if second := At(first.Wall.Add(-time.Hour)); second.Boot != first.Boot || second.since(first) < 0 || second.since(first) > time.Minute {
		t.Errorf("%+v after %+v", second, first)
	}
}
