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
	"github.com/assertd/assertd/internal/terminal"
	"github.com/assertd/assertd/ipc"
)

// progressInterval is the time between progress updates on the terminal.
const progressInterval = 200 * time.Millisecond

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
func (l *load) run(ctx context.Context, progress io.Writer) error {
	if _, err := l.client.Assert(ctx, l.req); err != nil {
		return err
	}
	l.started = time.Now()
	end := l.started.Add(l.duration)
	done := make(chan struct{})
	var workers sync.WaitGroup
	for range l.workers {
		workers.Go(func() { l.work(ctx, end) })
	}
	go func() { workers.Wait(); close(done) }()
	ticker := time.NewTicker(progressInterval)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			l.duration = time.Since(l.started)
			err := terminal.Control(progress, "\r\x1b[K")
			return errors.Join(err, ctx.Err())
		case <-ticker.C:
			l.showProgress(progress)
		}
	}
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

func (l *load) showProgress(out io.Writer) {
	elapsed := time.Since(l.started)
	signed := l.latency.total.Load()
	// A failed write does not matter: the next tick shows the same.
	_ = terminal.Control(out, fmt.Sprintf("\r\x1b[K%5.1fs  %d signed  %.0f/s  p50 %v  p99 %v  %d failed", elapsed.Seconds(), signed,
		float64(signed)/elapsed.Seconds(), l.latency.quantile(0.5), l.latency.quantile(0.99), l.failures()))
}
