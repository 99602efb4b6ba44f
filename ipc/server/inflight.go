package server

import (
	"context"
	"sync"
)

// inFlight counts the requests that handlers are working on.
type inFlight struct {
	mu    sync.Mutex
	count int
	empty chan struct{} // closed when count drops to 0; nil unless wait was called
}

func (f *inFlight) enter() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
}

func (f *inFlight) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count--
	if f.count == 0 && f.empty != nil {
		close(f.empty)
		f.empty = nil
	}
}

// wait returns when no handler is working. Requests that come later find the
// server draining.
func (f *inFlight) wait(ctx context.Context) error {
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
