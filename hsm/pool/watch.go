package pool

import (
	"context"
	"sync"
	"time"
)

const (
	// sweepsPerTimeout is how often deadlines are looked at: one look at everything, not a timer per signature.
	sweepsPerTimeout = 20
	shortestSweep    = 5 * time.Millisecond
	longestSweep     = 100 * time.Millisecond
	// movesPerTimeout: a signature is asked of a second worker as well, once the first has had it for this part of the timeout. So a token
	// that falls silent costs its callers half a second and not the whole timeout, where another token or worker is there.
	movesPerTimeout = 4
)

// watch keeps the deadlines and probes idle workers until ctx ends and what it started has ended too.
func (p *Pool) watch(ctx context.Context) {
	ticker := time.NewTicker(max(shortestSweep, min(p.cfg.Timeout/sweepsPerTimeout, longestSweep)))
	defer ticker.Stop()
	var probes sync.WaitGroup
	defer probes.Wait()
	for {
		select {
		case now := <-ticker.C:
			for _, w := range p.sweep(now) {
				p.retire(w, ErrTimeout, EventKill)
			}
			p.probeIdle(ctx, now, &probes)
		case <-ctx.Done():
			return
		}
	}
}

// sweep ends what has waited for too long, asks others for what is late, and returns the workers that passed a deadline.
func (p *Pool) sweep(now time.Time) (expired []*worker) {
	p.mu.Lock()
	defer p.unlock()
	for _, t := range p.tokens {
		for _, w := range t.ready {
			if p.inspect(w, now) {
				expired = append(expired, w)
			}
		}
	}
	for _, r := range p.routes {
		r.expire(now, p.cfg.Timeout)
	}
	return expired
}

// inspect looks at what a worker has in hand and says whether it passed a deadline. The pool is locked.
func (p *Pool) inspect(w *worker, now time.Time) (expired bool) {
	w.slow = false
	for id, a := range w.inFlight {
		age := now.Sub(a.sent)
		if age > a.call.limit {
			return true
		}
		if a.call.pinned || age < p.cfg.Timeout/movesPerTimeout {
			continue
		}
		w.slow = true
		if !a.moved && !a.call.finished && a.call.attempts < maxAttempts {
			a.moved = p.move(w, a.call, now)
			w.inFlight[id] = a
		}
	}
	return false
}

// move asks a second worker for what the first is slow with, if one has little to do. Whichever answers first is the answer. The pool is locked.
func (p *Pool) move(from *worker, c *call, now time.Time) bool {
	r, err := p.routeOf(c.key)
	if err != nil {
		return false
	}
	to := r.second(from)
	if to == nil {
		return false
	}
	p.outgoing = append(p.outgoing, delivery{to, c, to.take(c, now)})
	p.event(EventMove, from.slot, from.pid, nil)
	return true
}
