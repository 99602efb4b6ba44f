package ratelimit

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/rate"
)

func mustHaveLeft(t testing.TB, l *Limiter, now time.Time, name string, want ...int) {
	t.Helper()
	var got []int
	for _, left := range l.Left(now, name) {
		got = append(got, left.Remaining)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s has %v left, want %v", name, got, want)
	}
}

func take(t testing.TB, l *Limiter, now time.Time, n int, names ...string) *Taken {
	t.Helper()
	taken, err := l.Take(now, n, names...)
	if err != nil {
		t.Fatal(err)
	}
	return taken
}

func TestRefundOfEveryWindow(t *testing.T) {
	l := mustNew(t,
		Budget{"grant", []rate.Window{{Limit: 5, Per: 24 * time.Hour}, {Limit: 10, Per: time.Second, Burst: 20}}},
		Budget{"key", []rate.Window{{Limit: 5, Per: 24 * time.Hour, Burst: 5}}})
	mustTake(t, l, epoch, 1, "grant", "key")
	taken := take(t, l, epoch, 4, "grant", "key")
	later := epoch.Add(2 * time.Second)
	mustExceed(t, l, later, 1, "grant", "key")
	taken.Refund(later)
	mustHaveLeft(t, l, later, "grant", 4, 20)
	mustHaveLeft(t, l, later, "key", 4)
	taken.Refund(later) // once is enough
	mustHaveLeft(t, l, later, "grant", 4, 20)
	mustTake(t, l, later, 4, "grant", "key")
}

func TestRefundDoesNotReachALaterWindow(t *testing.T) {
	for _, w := range []rate.Window{{Limit: 10, Per: time.Second}, {Limit: 10, Per: time.Second, Burst: 10}} {
		l := mustNew(t, Budget{"b", []rate.Window{w}})
		taken := take(t, l, epoch, 10, "b")
		later := epoch.Add(time.Second)
		mustTake(t, l, later, 10, "b")
		taken.Refund(later)
		mustExceed(t, l, later, 1, "b")
	}
}

// A bucket that lost 9 of 10, regained 8 and spent those would have overflowed
// without the first take: only the last of the 9 can be given back.
func TestRefundKeepsWhatTheBucketRegained(t *testing.T) {
	l := mustNew(t, Budget{"b", []rate.Window{{Limit: 1, Per: time.Second, Burst: 10}}})
	taken := take(t, l, epoch, 10, "b")
	later := epoch.Add(9 * time.Second)
	mustTake(t, l, later, 9, "b")
	taken.Refund(later)
	mustHaveLeft(t, l, later, "b", 1)
}

func TestRefundAcrossReload(t *testing.T) {
	window := rate.Window{Limit: 4, Per: time.Hour}
	bucket := rate.Window{Limit: 4, Per: time.Hour, Burst: 4}
	for _, test := range []struct {
		name          string
		before, after []rate.Window
		left          int // after 3 of 4 were taken and given back
	}{
		{"unchanged", []rate.Window{window}, []rate.Window{window}, 4},
		{"raised", []rate.Window{window}, []rate.Window{{Limit: 9, Per: time.Hour}}, 9},
		{"lowered", []rate.Window{window}, []rate.Window{{Limit: 2, Per: time.Hour}}, 2},
		{"another window besides", []rate.Window{window}, []rate.Window{window, {Limit: 100, Per: time.Minute}}, 4},
		{"bucket unchanged", []rate.Window{bucket}, []rate.Window{bucket}, 4},
		{"bucket changed", []rate.Window{bucket}, []rate.Window{{Limit: 4, Per: time.Hour, Burst: 5}}, 5},
		{"to a bucket", []rate.Window{window}, []rate.Window{bucket}, 4},
		{"from a bucket", []rate.Window{bucket}, []rate.Window{window}, 4},
		{"to a bucket too small for what was spent", []rate.Window{window}, []rate.Window{{Limit: 4, Per: time.Hour, Burst: 2}}, 2},
		{"from another period", []rate.Window{{Limit: 4, Per: time.Minute}}, []rate.Window{window}, 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := mustNew(t, Budget{"b", test.before})
			taken := take(t, l, epoch, 3, "b")
			if err := l.Configure([]Budget{{"b", test.after}}); err != nil {
				t.Fatal(err)
			}
			taken.Refund(epoch)
			if left := l.Left(epoch, "b")[0]; left.Remaining != test.left {
				t.Errorf("%d left, want %d", left.Remaining, test.left)
			}
		})
	}
}

func TestRefundOfARemovedBudget(t *testing.T) {
	b := Budget{"b", []rate.Window{{Limit: 2, Per: time.Hour}}}
	l := mustNew(t, b)
	taken := take(t, l, epoch, 2, "b")
	for _, budgets := range [][]Budget{nil, nil, {b}} {
		if err := l.Configure(budgets); err != nil {
			t.Fatal(err)
		}
	}
	mustHaveLeft(t, l, epoch, "b", 0)
	taken.Refund(epoch)
	mustHaveLeft(t, l, epoch, "b", 2)
}

func TestConcurrentRefunds(t *testing.T) {
	l := mustNew(t, Budget{"b", []rate.Window{{Limit: 50, Per: time.Hour}, {Limit: 1, Per: time.Minute, Burst: 60}}})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 200 {
				if taken, err := l.Take(epoch, 3, "b"); err == nil {
					taken.Refund(epoch)
				}
			}
		})
	}
	group.Wait()
	mustHaveLeft(t, l, epoch, "b", 50, 60)
}

// kept is a take that was not given back, or not yet.
type kept struct {
	taken
	refund func(now time.Time)
}

// refunder takes and refunds in any order, and checks after each take that what
// is kept fits in the window.
type refunder struct {
	testing.TB
	limiter *Limiter
	window  rate.Window
	now     time.Time
	kept    []kept
}

func (r *refunder) take(n int) {
	made, err := r.limiter.Take(r.now, n, "b")
	if err != nil {
		return
	}
	r.kept = append(r.kept, kept{taken{r.now, n}, made.Refund})
	sum := 0
	for _, k := range slices.Backward(r.kept) {
		sum += k.n
		if most := r.most(r.now.Sub(k.at)); sum > most {
			r.Fatalf("%d kept in %v, at most %d fit in %v", sum, r.now.Sub(k.at), most, r.window)
		}
	}
}

// most returns how many can be taken in a period, with both ends.
func (r *refunder) most(period time.Duration) int {
	switch {
	case r.window.Burst > 0:
		return r.window.Burst + int(period/r.window.Interval())
	case period < r.window.Per:
		return r.window.Limit
	}
	return rate.MaxCount
}

func (r *refunder) refund(i int) {
	if len(r.kept) > 0 {
		i %= len(r.kept)
		r.kept[i].refund(r.now)
		r.kept = slices.Delete(r.kept, i, i+1)
	}
}

// reload also changes the limit of a strict window.
func (r *refunder) reload(n int) {
	if r.window.Burst == 0 {
		r.window.Limit = 1 + n%40
	}
	if err := r.limiter.Configure([]Budget{{"b", []rate.Window{r.window}}}); err != nil {
		r.Fatal(err)
	}
}

// do runs one step for each three bytes.
func (r *refunder) do(steps []byte) {
	grain := r.window.Per / 97
	for ; len(steps) >= 3; steps = steps[3:] {
		n := int(steps[1])
		switch r.now = r.now.Add(grain * time.Duration(steps[2]) / 16); steps[0] % 8 {
		case 0:
			r.reload(n)
		case 1, 2, 3:
			r.refund(n)
		default:
			r.take(1 + n%r.window.Capacity())
		}
	}
}

func newRefunder(t testing.TB, w rate.Window) *refunder {
	return &refunder{TB: t, limiter: mustNew(t, Budget{"b", []rate.Window{w}}), window: w, now: epoch}
}

// No sequence of takes, refunds and reloads lets what is kept pass the limit.
func FuzzTakeAndRefund(f *testing.F) {
	random := rand.New(rand.NewPCG(1, 4))
	for range 200 {
		steps := make([]byte, 600)
		for i := range steps {
			steps[i] = byte(random.Uint32())
		}
		f.Add(uint8(random.Uint32()), uint8(random.Uint32()), steps)
	}
	f.Add(uint8(9), uint8(9), []byte{4, 9, 0, 4, 8, 255, 1, 0, 0, 4, 8, 0})
	f.Fuzz(func(t *testing.T, limit, burst uint8, steps []byte) {
		steps = steps[:min(len(steps), 600)]
		newRefunder(t, rate.Window{Limit: 1 + int(limit%40), Per: time.Minute}).do(steps)
		newRefunder(t, rate.Window{Limit: 1 + int(limit%40), Per: time.Minute, Burst: 1 + int(burst%60)}).do(steps)
	})
}
