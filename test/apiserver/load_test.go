package apiserver

import (
	"context"
	"sync"
	"time"
)

// pace is the time between two token requests of a load: 20 in a second.
const pace = 50 * time.Millisecond

// load asks for tokens at a steady pace, whatever becomes of them, and has each
// verified.
type load struct {
	stop context.CancelFunc
	done sync.WaitGroup

	mu       sync.Mutex
	tokens   map[string]int // by kid
	first    map[string]string
	failures []error
}

func (s *site) startLoad(ctx context.Context) *load {
	running, stop := context.WithCancel(ctx)
	l := &load{stop: stop, tokens: make(map[string]int), first: make(map[string]string)}
	l.done.Go(func() {
		ticker := time.NewTicker(pace)
		defer ticker.Stop()
		for {
			select {
			case <-running.Done():
				return
			case <-ticker.C:
				l.done.Go(func() { l.count(s.signed(ctx)) })
			}
		}
	})
	return l
}

func (l *load) count(got token, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.failures = append(l.failures, err)
		return
	}
	if l.tokens[got.header.Kid]++; l.first[got.header.Kid] == "" {
		l.first[got.header.Kid] = got.text
	}
}

// kids is how many versions have signed so far.
func (l *load) kids() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.tokens)
}

// end stops asking, and waits for the requests in flight.
func (l *load) end() {
	l.stop()
	l.done.Wait()
}
