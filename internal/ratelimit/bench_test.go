package ratelimit

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/rate"
)

func manyBudgets(n int) []Budget {
	budgets := make([]Budget, n)
	for i := range budgets {
		budgets[i] = Budget{fmt.Sprintf("client-%d/grant", i), []rate.Window{
			{Limit: 100_000_000, Per: time.Second, Burst: 1_000_000},
			{Limit: 1_000_000_000, Per: 24 * time.Hour},
		}}
	}
	return budgets
}

// A take from two budgets with four windows, as for an assertion.
func BenchmarkTake(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprintf("budgets=%d", n), func(b *testing.B) {
			l := mustNew(b, manyBudgets(n)...)
			for b.Loop() {
				if _, err := l.Take(time.Now(), 1, "client-1/grant", "client-2/grant"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkTakeContended(b *testing.B) {
	l := mustNew(b, manyBudgets(100)...)
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := l.Take(time.Now(), 1, "client-1/grant", "client-2/grant"); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkTakeRefused(b *testing.B) {
	l := mustNew(b, Budget{"b", []rate.Window{{Limit: 1, Per: time.Hour}}})
	mustTake(b, l, epoch, 1, "b")
	for b.Loop() {
		if _, err := l.Take(epoch, 1, "b"); err == nil {
			b.Fatal("not refused")
		}
	}
}

func BenchmarkEnter(b *testing.B) {
	l := mustNew(b)
	for b.Loop() {
		leave, err := l.Enter("client", 64)
		if err != nil {
			b.Fatal(err)
		}
		leave()
	}
}

// The budgets file of 10,000 clients: after one take each, and with windows
// that can't remember more.
func BenchmarkSnapshot(b *testing.B) {
	one := mustNew(b, manyBudgets(10_000)...)
	for i := range 10_000 {
		mustTake(b, one, epoch, 1, fmt.Sprintf("client-%d/grant", i))
	}
	b.Run("one take", func(b *testing.B) { benchmarkSnapshot(b, one, epoch) })
	most, now := full(b, 10_000)
	b.Run("full windows", func(b *testing.B) { benchmarkSnapshot(b, most, now) })
}

func benchmarkSnapshot(b *testing.B, l *Limiter, now time.Time) {
	var size int
	for b.Loop() {
		size = len(snapshotOf(b, l, wall(now)))
	}
	b.ReportMetric(float64(size), "bytes")
}

func BenchmarkRestore(b *testing.B) {
	l, now := full(b, 10_000)
	data := snapshotOf(b, l, wall(now))
	for b.Loop() {
		if err := mustNew(b, manyBudgets(10_000)...).Restore(wall(now), data); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUse is how long every take waits for a reload of 20,000 budgets that
// changes one of them.
func BenchmarkUse(b *testing.B) {
	budgets := manyBudgets(20_000)
	l := mustNew(b, budgets...)
	changed := slices.Clone(budgets)
	changed[0].Windows = changed[0].Windows[:1]
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		p, err := l.Prepare([][]Budget{changed, budgets}[i%2])
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		l.Use(p)
	}
}
