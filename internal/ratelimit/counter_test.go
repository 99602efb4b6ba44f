package ratelimit

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/rate"
)

// worlds has a limiter whose takes are partly given back, and one in which
// those were never taken. Reloads change the window of both.
type worlds struct {
	testing.TB
	real, without *Limiter
	now           time.Time
	doomed        []*Taken // to be given back
	back          int      // how many were
}

func (w *worlds) reload(window rate.Window) {
	for _, l := range []*Limiter{w.real, w.without} {
		if err := l.Configure([]Budget{{"b", []rate.Window{window}}}); err != nil {
			w.Fatal(err)
		}
	}
}

func (w *worlds) take(n int, doomed bool) {
	taken, err := w.real.Take(w.now, n, "b")
	switch {
	case err != nil:
	case doomed:
		w.doomed = append(w.doomed, taken)
	default:
		mustTake(w, w.without, w.now, n, "b")
	}
}

func (w *worlds) refund(i int) {
	if len(w.doomed) > 0 {
		i %= len(w.doomed)
		w.doomed[i].Refund(w.now)
		w.doomed = slices.Delete(w.doomed, i, i+1)
		w.back++
	}
}

// compare checks that the real world has no more left, now and at any later
// time.
func (w *worlds) compare() {
	real, without := w.real.Left(w.now, "b")[0], w.without.Left(w.now, "b")[0]
	if real.Remaining > without.Remaining || real.ResetIn < without.ResetIn {
		w.Fatalf("%+v left after refunds, %+v without the takes", real, without)
	}
}

const grid = 40 // steps of a period: more than a grain, so that windows remember takes exactly

func anyWindow(random *rand.Rand, per time.Duration) rate.Window {
	window := rate.Window{Limit: 1 + random.IntN(30), Per: per}
	if random.IntN(3) > 0 {
		window.Burst = 1 + random.IntN(50)
	}
	return window
}

// A take that is given back after any number of reloads, which change the
// window's limit, size or kind, never leaves more than if it had not been.
func TestRefundAcrossReloadsLeavesNoMore(t *testing.T) {
	back := 0
	for seed := range uint64(2000) {
		random := rand.New(rand.NewPCG(seed, 6))
		per := time.Minute * time.Duration(1+random.IntN(3))
		window := Budget{"b", []rate.Window{anyWindow(random, per)}}
		w := &worlds{TB: t, real: mustNew(t, window), without: mustNew(t, window), now: epoch}
		for range 100 {
			switch random.IntN(6) {
			case 0:
				w.reload(anyWindow(random, per))
			case 1, 2:
				w.take(1+random.IntN(8), random.IntN(2) == 0)
			case 3:
				w.refund(random.IntN(100))
			default:
				w.now = w.now.Add(per / grid * time.Duration(random.IntN(8)))
			}
			w.compare()
		}
		back += w.back
	}
	if back < 1000 {
		t.Errorf("only %d refunds were tested", back)
	}
}

// Several requests in flight across several reloads get everything back.
func TestRefundAcrossSeveralReloads(t *testing.T) {
	l := mustNew(t, Budget{"b", []rate.Window{{Limit: 10, Per: time.Hour}}})
	flying := []*Taken{take(t, l, epoch, 4, "b"), take(t, l, epoch, 3, "b"), take(t, l, epoch, 3, "b")}
	for _, w := range []rate.Window{{Limit: 10, Per: time.Hour, Burst: 12}, {Limit: 20, Per: time.Hour, Burst: 20}, {Limit: 15, Per: time.Hour}} {
		if err := l.Configure([]Budget{{"b", []rate.Window{w}}}); err != nil {
			t.Fatal(err)
		}
	}
	mustHaveLeft(t, l, epoch, "b", 5)
	for i, want := range []int{9, 12, 15} {
		flying[i].Refund(epoch)
		mustHaveLeft(t, l, epoch, "b", want)
	}
}
