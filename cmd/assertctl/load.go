package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/internal/progress"
	"github.com/assertd/assertd/ipc"
)

// load is a benchmark: workers that request one assertion after another.
type load struct {
	client   *client.Client
	req      ipc.AssertionRequest
	workers  int
	duration time.Duration
	count    int64 // 0 for no limit

	started time.Time
	sent    atomic.Int64
	latency histogram // of successful requests

	mu     sync.Mutex
	failed map[ipc.Code]int64
}

// run makes one request first, to fail early if none can succeed.
func (l *load) run(ctx context.Context, stderr io.Writer) error {
	if _, err := l.client.Assert(ctx, l.req); err != nil {
		return err
	}
	l.started = time.Now()
	end := l.started.Add(l.duration)
	line := progress.Show(ctx, stderr, progress.Task{Name: "signing", Unit: progress.Seconds, Note: l.soFar})
	defer line.Stop()
	done := make(chan struct{})
	var workers sync.WaitGroup
	for range l.workers {
		workers.Go(func() { l.work(ctx, end) })
	}
	go func() { workers.Wait(); close(done) }()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		line.Set(l.progress())
		select {
		case <-done:
			l.duration = time.Since(l.started)
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// progress is the elapsed and the whole time, or if the end comes with a number
// of requests, that share of it.
func (l *load) progress() (done, total int64) {
	elapsed, share := time.Since(l.started), 0.0
	if l.count > 0 {
		share = min(1, float64(l.sent.Load())/float64(l.count))
	}
	if share > float64(elapsed)/float64(l.duration) {
		return int64(elapsed), int64(float64(elapsed) / share)
	}
	return int64(elapsed), int64(l.duration)
}

func (l *load) work(ctx context.Context, end time.Time) {
	for ctx.Err() == nil && time.Now().Before(end) {
		if n := l.sent.Add(1); l.count > 0 && n > l.count {
			return
		}
		start := time.Now()
		if _, err := l.client.Assert(ctx, l.req); err != nil {
			l.fail(ctx, err)
			continue
		}
		l.latency.add(time.Since(start))
	}
}

// fail counts a failure by its code, or as no-answer, and waits as long as the
// daemon asks: how fast it refuses is not what a benchmark measures.
func (l *load) fail(ctx context.Context, err error) {
	code, wait := ipc.Code("no-answer"), 100*time.Millisecond
	var problem *ipc.Problem
	if errors.As(err, &problem) {
		code, wait = problem.Code, problem.RetryAfter()
	}
	l.mu.Lock()
	l.failed[code]++
	l.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-time.After(min(wait, time.Until(l.started.Add(l.duration)))):
	}
}

func (l *load) failures() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	sum := int64(0)
	for _, n := range l.failed {
		sum += n
	}
	return sum
}

// soFar is what the benchmark has measured up to now.
func (l *load) soFar() string {
	signed := l.latency.total.Load()
	text := fmt.Sprintf("%d signed, %.0f/s, p99 %v", signed, float64(signed)/time.Since(l.started).Seconds(), l.latency.quantile(0.99))
	if failed := l.failures(); failed > 0 {
		text += fmt.Sprintf(", %d failed", failed)
	}
	return text
}
