package ratelimit

import (
	"fmt"
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

func BenchmarkSnapshot(b *testing.B) {
	l := mustNew(b, manyBudgets(10_000)...)
	for i := range 10_000 {
		mustTake(b, l, epoch, 1, fmt.Sprintf("client-%d/grant", i))
	}
	for b.Loop() {
		if _, err := l.Snapshot(epoch); err != nil {
			b.Fatal(err)
		}
	}
}
