package server

import (
	"context"
	"sync"
)

// flight counts the requests that handlers work on.
type flight struct {
	mu    sync.Mutex
	count int
	empty chan struct{} // closed when count falls to 0, if someone waits
}

func (f *flight) enter() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
}

func (f *flight) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count--
	if f.count == 0 && f.empty != nil {
		close(f.empty)
		f.empty = nil
	}
}

// wait returns when no handler works. Later ones find the server draining.
func (f *flight) wait(ctx context.Context) error {
	f.mu.Lock()
	if f.count == 0 {
		f.mu.Unlock()
		return nil
	}
	f.empty = make(chan struct{})
	empty := f.empty
	f.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
