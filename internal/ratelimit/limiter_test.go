package ratelimit

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/rate"
)

// epoch has no monotonic reading, so tests can set it back.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func mustNew(t testing.TB, budgets ...Budget) *Limiter {
	t.Helper()
	l, err := New(budgets)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustTake(t testing.TB, l *Limiter, now time.Time, n int, names ...string) {
	t.Helper()
	if _, err := l.Take(now, n, names...); err != nil {
		t.Fatalf("take %d from %v at %v: %v", n, names, now.Sub(epoch), err)
	}
}

func mustExceed(t testing.TB, l *Limiter, now time.Time, n int, names ...string) *Exceeded {
	t.Helper()
	_, err := l.Take(now, n, names...)
	var exceeded *Exceeded
	if !errors.As(err, &exceeded) || !errors.Is(err, ErrExceeded) {
		t.Fatalf("take %d from %v at %v: %v, want it exceeded", n, names, now.Sub(epoch), err)
	}
	if exceeded.RetryAfter <= 0 {
		t.Fatalf("RetryAfter is %v", exceeded.RetryAfter)
	}
	return exceeded
}

func TestStrictWindow(t *testing.T) {
	l := mustNew(t, Budget{"b", []rate.Window{{Limit: 3, Per: time.Second}}})
	for range 3 {
		mustTake(t, l, epoch, 1, "b")
	}
	if e := mustExceed(t, l, epoch, 1, "b"); e.RetryAfter != time.Second || e.Budget != "b" || e.Window.Limit != 3 {
		t.Errorf("exceeded: %+v", e)
	}
	mustExceed(t, l, epoch.Add(time.Second-1), 1, "b")
	mustTake(t, l, epoch.Add(time.Second), 3, "b")
}

func TestBurstIsSeparateFromRate(t *testing.T) {
	l := mustNew(t, Budget{"b", []rate.Window{{Limit: 10, Per: time.Second, Burst: 30}}})
	mustTake(t, l, epoch, 30, "b")
	if e := mustExceed(t, l, epoch, 1, "b"); e.RetryAfter != 100*time.Millisecond {
		t.Errorf("one is back after %v", e.RetryAfter)
	}
	mustTake(t, l, epoch.Add(time.Second), 10, "b")
	mustExceed(t, l, epoch.Add(time.Second), 1, "b")
	mustTake(t, l, epoch.Add(time.Hour), 30, "b")
	mustExceed(t, l, epoch.Add(time.Hour), 1, "b")
}

func TestAllOrNothing(t *testing.T) {
	l := mustNew(t,
		Budget{"grant", []rate.Window{{Limit: 10, Per: time.Second}, {Limit: 12, Per: time.Hour}}},
		Budget{"key", []rate.Window{{Limit: 11, Per: time.Minute}}},
		Budget{"free", nil})
	mustTake(t, l, epoch, 10, "grant", "key", "free")
	later := epoch.Add(time.Second)
	if e := mustExceed(t, l, later, 2, "grant", "key"); e.Budget != "key" {
		t.Errorf("exceeded: %v", e)
	}
	if left := l.Left(later, "grant"); left[0].Remaining != 10 || left[1].Remaining != 2 {
		t.Errorf("a refused take spent something: %+v", left)
	}
	mustTake(t, l, later, 1, "grant", "key")
	if e := mustExceed(t, l, later, 2, "grant", "key"); e.Budget != "grant" || e.RetryAfter != time.Hour {
		t.Errorf("want the longest wait, which is the hour's: %+v", e)
	}
}

func TestRepeatedNameCountsOnce(t *testing.T) {
	l := mustNew(t, Budget{"b", []rate.Window{{Limit: 1, Per: time.Second}}})
	mustTake(t, l, epoch, 1, "b", "b")
	if left := l.Left(epoch, "b"); left[0].Remaining != 0 {
		t.Errorf("left: %+v", left)
	}
}

func TestImpossible(t *testing.T) {
	l := mustNew(t, Budget{"b", []rate.Window{{Limit: 5, Per: time.Second}, {Limit: 100, Per: time.Minute, Burst: 3}}})
	for n, kind := range map[int]error{6: ErrImpossible, 4: ErrImpossible, 0: ErrImpossible, -1: ErrImpossible} {
		if _, err := l.Take(epoch, n, "b"); !errors.Is(err, kind) {
			t.Errorf("take %d: %v", n, err)
		}
	}
	var impossible *Impossible
	if _, err := l.Take(epoch, 4, "b"); !errors.As(err, &impossible) || impossible.Window.Burst != 3 {
		t.Errorf("take over the burst: %v", err)
	} else if !strings.Contains(err.Error(), "at most 3") {
		t.Errorf("the error does not say what is possible: %v", err)
	}
	if _, err := l.Take(epoch, 1, "b", "nobody"); !errors.Is(err, ErrUnknown) {
		t.Errorf("unknown budget: %v", err)
	}
	mustTake(t, l, epoch, 3, "b")
}

func TestClockSetBackRefillsNothing(t *testing.T) {
	for _, w := range []rate.Window{{Limit: 5, Per: time.Second}, {Limit: 5, Per: time.Second, Burst: 5}} {
		l := mustNew(t, Budget{"b", []rate.Window{w}})
		mustTake(t, l, epoch, 5, "b")
		back := epoch.Add(-time.Hour)
		e := mustExceed(t, l, back, 5, "b")
		if e.RetryAfter != time.Hour+time.Second {
			t.Errorf("%v: wait of %v", w, e.RetryAfter)
		}
		mustExceed(t, l, back.Add(time.Minute), 1, "b")
		mustTake(t, l, back.Add(e.RetryAfter), 5, "b")
	}
}

func TestLeft(t *testing.T) {
	five, bucket := rate.Window{Limit: 5, Per: time.Minute}, rate.Window{Limit: 10, Per: time.Second, Burst: 20}
	l := mustNew(t, Budget{"b", []rate.Window{five, bucket}})
	want := []Left{{five, 5, 0}, {bucket, 20, 0}}
	if got := l.Left(epoch, "b"); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("unspent: %v", got)
	}
	mustTake(t, l, epoch, 4, "b")
	want = []Left{{five, 1, time.Minute - 50*time.Millisecond}, {bucket, 16, 350 * time.Millisecond}}
	if got := l.Left(epoch.Add(50*time.Millisecond), "b"); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("spent: %v, want %v", got, want)
	}
	if l.Left(epoch, "nobody") != nil {
		t.Error("an unknown budget has something left")
	}
}

func TestInvalidBudgets(t *testing.T) {
	for name, budgets := range map[string][]Budget{
		"no name":        {{"", nil}},
		"two of a name":  {{"b", nil}, {"b", nil}},
		"two of a per":   {{"b", []rate.Window{{Limit: 1, Per: time.Second}, {Limit: 2, Per: time.Second}}}},
		"no limit":       {{"b", []rate.Window{{Per: time.Second}}}},
		"no period":      {{"b", []rate.Window{{Limit: 1}}}},
		"long period":    {{"b", []rate.Window{{Limit: 1, Per: 400 * 24 * time.Hour}}}},
		"huge limit":     {{"b", []rate.Window{{Limit: rate.MaxCount + 1, Per: time.Second}}}},
		"negative burst": {{"b", []rate.Window{{Limit: 1, Per: time.Second, Burst: -1}}}},
		"endless refill": {{"b", []rate.Window{{Limit: 1, Per: 366 * 24 * time.Hour, Burst: 51}}}},
	} {
		if l, err := New(budgets); !errors.Is(err, ErrInvalid) || l != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConfigureKeepsUsage(t *testing.T) {
	minute := func(limit, burst int) Budget {
		return Budget{"b", []rate.Window{{Limit: limit, Per: time.Minute, Burst: burst}}}
	}
	for _, test := range []struct {
		name          string
		before, after Budget
		taken, left   int
	}{
		{"unchanged", minute(10, 0), minute(10, 0), 4, 6},
		{"raised", minute(10, 0), minute(20, 0), 4, 16},
		{"lowered", minute(10, 0), minute(5, 0), 4, 1},
		{"lowered under what was spent", minute(10, 0), minute(3, 0), 4, 0},
		{"bucket unchanged", minute(10, 30), minute(10, 30), 12, 18},
		{"bucket made smaller", minute(10, 30), minute(10, 20), 12, 8},
		{"bucket slowed", minute(10, 30), minute(5, 30), 12, 18},
		{"to a bucket", minute(10, 0), minute(10, 30), 4, 26},
		{"from a bucket", minute(10, 30), minute(20, 0), 12, 8},
		{"from a bucket, to less than was spent", minute(10, 30), minute(10, 0), 12, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := mustNew(t, test.before)
			mustTake(t, l, epoch, test.taken, "b")
			if err := l.Configure([]Budget{test.after, {"other", nil}}); err != nil {
				t.Fatal(err)
			}
			if left := l.Left(epoch, "b")[0]; left.Remaining != test.left {
				t.Errorf("left: %+v, want %d", left, test.left)
			}
		})
	}
}

func TestConfigureChangesNothingOnError(t *testing.T) {
	l := mustNew(t, Budget{"b", []rate.Window{{Limit: 1, Per: time.Minute}}})
	mustTake(t, l, epoch, 1, "b")
	if err := l.Configure([]Budget{{"b", []rate.Window{{}}}}); err == nil {
		t.Fatal("an invalid configuration was accepted")
	}
	mustExceed(t, l, epoch, 1, "b")
}

func TestRemovedBudget(t *testing.T) {
	b := Budget{"b", []rate.Window{{Limit: 2, Per: time.Minute}}}
	configure := func(l *Limiter, budgets ...Budget) {
		t.Helper()
		if err := l.Configure(budgets); err != nil {
			t.Fatal(err)
		}
	}
	l := mustNew(t, b)
	configure(l)
	mustTake(t, l, epoch, 1, "b") // by a request that was decided before
	configure(l)
	configure(l, b)
	if left := l.Left(epoch, "b"); left[0].Remaining != 1 {
		t.Errorf("coming back gave it a fresh budget: %+v", left)
	}
	configure(l)
	l.Left(epoch.Add(time.Minute), "b")
	configure(l)
	if _, err := l.Take(epoch, 1, "b"); !errors.Is(err, ErrUnknown) {
		t.Errorf("it is kept although nothing is spent: %v", err)
	}
}

func TestInFlight(t *testing.T) {
	l := mustNew(t)
	first, err := l.Enter("c", 2)
	if err != nil {
		t.Fatal(err)
	}
	second, err := l.Enter("c", 2)
	if err != nil {
		t.Fatal(err)
	}
	if leave, err := l.Enter("c", 2); !errors.Is(err, ErrInFlight) || leave != nil {
		t.Fatalf("a third of two: %v", err)
	}
	if leave, err := l.Enter("other", 1); err != nil {
		t.Fatalf("another client: %v", err)
	} else {
		leave()
	}
	first()
	first() // leaving twice frees one place
	if _, err := l.Enter("c", 2); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Enter("c", 2); !errors.Is(err, ErrInFlight) {
		t.Fatalf("leaving twice freed two places: %v", err)
	}
	second()
	if len(l.inFlight.count) != 1 {
		t.Errorf("clients with nothing in flight are kept: %v", l.inFlight.count)
	}
	if _, err := l.Enter("c", 0); !errors.Is(err, ErrInFlight) {
		t.Errorf("a cap of nothing: %v", err)
	}
}

func TestConcurrentTakesGiveExactlyTheLimit(t *testing.T) {
	l := mustNew(t, Budget{"strict", []rate.Window{{Limit: 500, Per: time.Hour}}}, Budget{"burst", []rate.Window{{Limit: 1, Per: time.Hour, Burst: 700}}})
	var taken atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 200 {
				if _, err := l.Take(epoch, 1, "strict", "burst"); err == nil {
					taken.Add(1)
				}
				l.Left(epoch, "strict")
				if leave, err := l.Enter("c", 4); err == nil {
					leave()
				}
			}
		})
	}
	group.Wait()
	if taken.Load() != 500 {
		t.Errorf("%d takes of 500 succeeded", taken.Load())
	}
	if left := l.Left(epoch, "burst"); left[0].Remaining != 200 {
		t.Errorf("refused takes spent the other budget: %+v", left)
	}
}

// taken is a take that succeeded.
type taken struct {
	at time.Time
	n  int
}

// within sums the takes in the period that ends with the last one.
func within(takes []taken, per time.Duration) int {
	sum, end := 0, takes[len(takes)-1].at
	for i := len(takes) - 1; i >= 0 && end.Sub(takes[i].at) < per; i-- {
		sum += takes[i].n
	}
	return sum
}

// step returns nothing, a small part, or a large part of a period.
func step(random *rand.Rand, per time.Duration) time.Duration {
	return []time.Duration{0, 1, per / 1000, per / 64, per / 7, per}[random.IntN(6)] * time.Duration(random.IntN(3)) / 2
}

// A strict window never allows more than its limit in any period, whenever the
// period starts, across reloads, restarts and clocks that are set back.
func TestNeverMoreThanTheLimitInAnyPeriod(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		w := rate.Window{Limit: 1 + random.IntN(40), Per: time.Minute * time.Duration(1+random.IntN(3))}
		l := mustNew(t, Budget{"b", []rate.Window{w}})
		now, seen, takes := epoch, epoch, []taken(nil) // seen: the latest time passed to the limiter
		l.Left(epoch, "b")
		for range 400 {
			now = now.Add(step(random, w.Per))
			switch random.IntN(40) {
			case 0:
				l, seen = restart(t, l, now, Budget{"b", []rate.Window{w}}), now
			case 1: // switch to a bucket and back, which must not lose usage
				if l.Configure([]Budget{{"b", []rate.Window{{Limit: w.Limit, Per: w.Per, Burst: w.Limit}}}}) != nil ||
					l.Configure([]Budget{{"b", []rate.Window{w}}}) != nil {
					t.Fatal("configure")
				}
				takes = nil // a bucket remembers how much, not when: only what follows is strict again
			}
			at, n := now, 1+random.IntN(w.Limit)
			if random.IntN(10) == 0 {
				at = at.Add(-step(random, w.Per))
			}
			if at.After(seen) {
				seen = at
			}
			if _, err := l.Take(at, n, "b"); err != nil {
				continue
			}
			takes = append(takes, taken{seen, n})
			if sum := within(takes, w.Per); sum > w.Limit {
				t.Fatalf("seed %d: %d within %v, limit is %d", seed, sum, w.Per, w.Limit)
			}
		}
	}
}

func restart(t testing.TB, l *Limiter, now time.Time, budgets ...Budget) *Limiter {
	t.Helper()
	data, err := l.Snapshot(wall(now))
	if err != nil {
		t.Fatal(err)
	}
	fresh := mustNew(t, budgets...)
	if err := fresh.Restore(wall(now), data); err != nil {
		t.Fatalf("restore %s: %v", data, err)
	}
	return fresh
}

// A bucket never allows more than its burst plus what was refilled since.
func TestBucketNeverGivesMoreThanBurstAndRefill(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 2))
		w := rate.Window{Limit: 1 + random.IntN(40), Per: time.Minute, Burst: 1 + random.IntN(60)}
		l := mustNew(t, Budget{"b", []rate.Window{w}})
		now, takes := epoch, []taken(nil)
		for range 300 {
			now = now.Add(step(random, w.Per))
			if random.IntN(40) == 0 {
				l = restart(t, l, now, Budget{"b", []rate.Window{w}})
			}
			n := 1 + random.IntN(w.Burst)
			if _, err := l.Take(now, n, "b"); err != nil {
				continue
			}
			takes = append(takes, taken{now, n})
			sum := 0
			for i := len(takes) - 1; i >= 0; i-- {
				sum += takes[i].n
				refilled := int(now.Sub(takes[i].at) * time.Duration(w.Limit) / w.Per)
				if sum > w.Burst+refilled {
					t.Fatalf("seed %d: %d in %v of %v", seed, sum, now.Sub(takes[i].at), w)
				}
			}
		}
	}
}

// A lone caller that waits for RetryAfter succeeds, and RetryAfter never
// exceeds the clock's lag plus two periods.
func TestRetryAfterIsHonest(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 3))
		budgets := []Budget{
			{"a", []rate.Window{{Limit: 1 + random.IntN(30), Per: time.Second}, {Limit: 20 + random.IntN(100), Per: time.Minute}}},
			{"b", []rate.Window{{Limit: 7, Per: time.Second, Burst: 1 + random.IntN(50)}}},
		}
		most := min(budgets[0].Windows[0].Limit, budgets[0].Windows[1].Limit, budgets[1].Windows[0].Burst)
		l := mustNew(t, budgets...)
		now := epoch
		for range 300 {
			now = now.Add(step(random, time.Second))
			at, n := now, 1+random.IntN(most)
			if random.IntN(10) == 0 {
				at = at.Add(-time.Millisecond)
			}
			var exceeded *Exceeded
			if _, err := l.Take(at, n, "a", "b"); !errors.As(err, &exceeded) {
				continue
			}
			if exceeded.RetryAfter > 2*time.Minute {
				t.Fatalf("seed %d: told to wait %v", seed, exceeded.RetryAfter)
			}
			now = at.Add(exceeded.RetryAfter)
			if _, err := l.Take(now, n, "a", "b"); err != nil {
				t.Fatalf("seed %d: waited %v for %d of %v, then: %v", seed, exceeded.RetryAfter, n, exceeded.Window, err)
			}
		}
	}
}

// Strictness costs a steady caller less than 1/grains of its limit.
func TestStrictWindowGivesNearlyItsLimit(t *testing.T) {
	w := rate.Window{Limit: 1000, Per: time.Second}
	l := mustNew(t, Budget{"b", []rate.Window{w}})
	const periods = 20
	given := 0
	for at := time.Duration(0); at < periods*w.Per; at += 100 * time.Microsecond {
		if _, err := l.Take(epoch.Add(at), 1, "b"); err == nil {
			given++
		}
	}
	if least := periods * w.Limit * (grains - 1) / grains; given < least || given > periods*w.Limit {
		t.Errorf("%d given in %d periods of %v", given, periods, w)
	}
	if runs := len(l.budgets["b"].counters[0].meter.(*sliding).runs); runs > grains+2 {
		t.Errorf("%d runs are remembered", runs)
	}
}

func TestExceededSaysWhen(t *testing.T) {
	minute := rate.Window{Limit: 3, Per: time.Minute}
	day := rate.Window{Limit: 9, Per: 24 * time.Hour, Burst: 12}
	for want, e := range map[string]*Exceeded{
		`budget "b" of 3 per 1m is spent; try again in 1m`:                        {"b", minute, 59994798832},
		`budget "b" of 3 per 1m is spent; try again in 1ms`:                       {"b", minute, 1},
		`budget "b" of 3 per 1m is spent; try again in 9.501s`:                    {"b", minute, 9500000001},
		`budget "b" of 9 per 24h with bursts of 12 is spent; try again in 2h40m`:  {"b", day, 160 * time.Minute},
		`budget "b" of 9 per 24h with bursts of 12 is spent; try again in 10m30s`: {"b", day, 630 * time.Second},
	} {
		if got := e.Error(); got != want {
			t.Errorf("%v: %s, want %s", e.RetryAfter, got, want)
		}
	}
}
