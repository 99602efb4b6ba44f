package ratelimit

import (
	"fmt"
	"sync"
)

// inFlight counts requests that have begun and not ended. It has a lock of its own, and forgets who has none.
type inFlight struct {
	mu    sync.Mutex
	count map[string]int
}

// Enter counts one more request of a client as in flight, until leave is called; further calls of leave do nothing. If that
// would be more than max it returns an error that wraps [ErrInFlight], and leave is nil.
func (l *Limiter) Enter(client string, max int) (leave func(), err error) {
	f := &l.inFlight
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count[client] >= max {
		return nil, fmt.Errorf("%w: client %q may have %d at one time; wait for one to end", ErrInFlight, client, max)
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
