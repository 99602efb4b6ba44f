package pool

import (
	"context"
	"sync"
	"time"
)

const (
	// sweepsPerTimeout is how often deadlines are checked: one look at all calls
	// is cheaper than a timer for each signature.
	sweepsPerTimeout = 20
	shortestSweep    = 5 * time.Millisecond
	longestSweep     = 100 * time.Millisecond
	// hedgesPerTimeout: once a worker has had a signature for this fraction of the
	// timeout, a second worker is asked too. A token that hangs then costs its
	// callers half a second and not the whole timeout, if another token or worker
	// can sign.
	hedgesPerTimeout = 4
	// hedgeLatencies: nor is one asked before the signature has taken this many
	// times as long as the module usually takes. A copy of every signature would
	// only make a slow module slower.
	hedgeLatencies = 2
)

// watch enforces deadlines and probes idle workers until ctx ends and its
// probes have ended too.
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
		case <-p.prove:
			p.probeUnproved(ctx, &probes)
		case <-ctx.Done():
			return
		}
	}
}

// sweep fails calls that were queued for too long, hedges those that are late,
// and returns the workers that missed a deadline.
func (p *Pool) sweep(now time.Time) (overdue []*worker) {
	p.mu.Lock()
	defer p.unlock()
	for _, t := range p.tokens {
		for _, w := range t.ready {
			if p.overdue(w, now) {
				overdue = append(overdue, w)
			}
		}
	}
	for _, r := range p.routes {
		r.expire(now, p.cfg.Timeout)
	}
	return overdue
}

// overdue reports whether a worker missed a deadline, and hedges its late
// calls. The pool is locked.
func (p *Pool) overdue(w *worker, now time.Time) bool {
	w.slow = false
	for id, a := range w.inFlight {
		age := now.Sub(a.sent)
		if age > a.call.timeout {
			return true
		}
		if a.call.pinned || age < max(p.cfg.Timeout/hedgesPerTimeout, hedgeLatencies*w.token.latency) {
			continue
		}
		w.slow = true
		if !a.hedged && !a.call.finished && a.call.attempts < maxAttempts {
			a.hedged = p.hedge(w, a.call, now)
			w.inFlight[id] = a
		}
	}
	return false
}

// hedge sends a slow worker's call to a second worker too, if one has little to
// do. The first answer counts. The pool is locked.
func (p *Pool) hedge(from *worker, c *call, now time.Time) bool {
	r, err := p.routeOf(c.key)
	if err != nil {
		return false
	}
	to := r.second(from)
	if to == nil {
		return false
	}
	p.outgoing = append(p.outgoing, delivery{to, c, to.assign(c, now)})
	p.event(EventMove, from.slot, from.pid, nil)
	return true
}
