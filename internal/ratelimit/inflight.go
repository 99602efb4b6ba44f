package ratelimit

import (
	"fmt"
	"sync"
)

// inFlight counts requests in flight. It has its own lock, and forgets clients that
// have none.
type inFlight struct {
	mu    sync.Mutex
	count map[string]int
}

// Enter counts a client's request as in flight until leave is called; calling leave
// again does nothing. If that would exceed max, the error wraps [ErrInFlight] and
// leave is nil.
func (l *Limiter) Enter(client string, max int) (leave func(), err error) {
	f := &l.inFlight
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count[client] >= max {
		return nil, fmt.Errorf("%w: client %q can have %d at a time; wait for one to finish", ErrInFlight, client, max)
	}
	if f.count == nil {
		f.count = make(map[string]int)
	}
	f.count[client]++
	return sync.OnceFunc(func() { f.leave(client) }), nil
}

func (f *inFlight) leave(client string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count[client]--; f.count[client] == 0 {
		delete(f.count, client)
	}
}
