package pool

import (
	"errors"
	"slices"
	"time"
)

// route is a set of tokens that hold the same keys, and the queue of signatures
// for their workers. Keys on different sets of tokens have different routes, so
// the queue of a slow token delays no other. The pool's lock guards it.
type route struct {
	tokens  []*token
	waiting []*call
}

// pick returns the least busy worker that has room, a slow one only if all are
// slow.
func (r *route) pick() *worker {
	var best *worker
	for _, t := range r.tokens {
		for _, w := range t.ready {
			if len(w.inFlight) < w.depth && (best == nil || better(w, best)) {
				best = w
			}
		}
	}
	return best
}

// second returns a worker to ask in addition to one that is slow: on another
// token if possible, not slow itself, and with sessions to spare.
func (r *route) second(first *worker) *worker {
	var best *worker
	for _, t := range r.tokens {
		for _, w := range t.ready {
			if w == first || w.slow || len(w.inFlight) > w.depth/2 {
				continue
			}
			elsewhere := best != nil && best.token == first.token && t != first.token
			if best == nil || elsewhere || (best.token == first.token) == (t == first.token) && better(w, best) {
				best = w
			}
		}
	}
	return best
}

func better(a, b *worker) bool {
	if a.slow != b.slow {
		return b.slow
	}
	return len(a.inFlight) < len(b.inFlight)
}

// hasWorker reports whether there is a worker, busy or not.
func (r *route) hasWorker() bool {
	return slices.ContainsFunc(r.tokens, func(t *token) bool { return len(t.ready) > 0 })
}

// expectsWorker reports whether a call may wait: there is a worker, or one is
// likely to be back within moments.
func (r *route) expectsWorker(now time.Time, limit time.Duration) bool {
	return r.hasWorker() || slices.ContainsFunc(r.tokens, func(t *token) bool { return t.expectsRestart(now, limit) })
}

// unavailable is the error of a call that no worker will take.
func (r *route) unavailable() error {
	var causes []error
	for _, t := range r.tokens {
		causes = append(causes, t.cause())
	}
	return &UnavailableError{Cause: errors.Join(causes...)}
}

// next takes the call that has waited longest off the queue, nil if it is
// empty.
func (r *route) next() *call {
	if len(r.waiting) == 0 {
		return nil
	}
	c := r.waiting[0]
	r.waiting[0] = nil
	if r.waiting = r.waiting[1:]; len(r.waiting) == 0 {
		r.waiting = nil // releases the array
	}
	return c
}

// drop takes an abandoned call off the queue.
func (r *route) drop(c *call) {
	if i := slices.Index(r.waiting, c); i >= 0 {
		r.waiting = slices.Delete(r.waiting, i, i+1)
	}
}

// fail fails every queued call.
func (r *route) fail(err error) {
	for c := r.next(); c != nil; c = r.next() {
		c.finish(result{err: err})
	}
}

// expire fails calls that have been queued for longer than the limit.
func (r *route) expire(now time.Time, limit time.Duration) {
	r.waiting = slices.DeleteFunc(r.waiting, func(c *call) bool {
		late := now.Sub(c.queued) > limit
		if late && r.hasWorker() {
			c.finish(result{err: ErrBusy})
		} else if late {
			c.finish(result{err: r.unavailable()})
		}
		return late
	})
}
