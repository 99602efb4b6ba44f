package pool

import (
	"errors"
	"slices"
	"time"
)

// route is a set of tokens that hold the same keys, and the signatures that wait for one of their workers. Keys whose tokens differ have routes
// of their own: what waits for a slow token stands in nobody's way. The pool's lock guards it.
type route struct {
	tokens  []*token
	waiting []*call
}

// pick gives the worker that has the least to do and room for more; one that is slow only if all are.
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

// second gives a worker to ask besides one that is slow: of another token rather than of the same, and only one that isn't slow itself and has
// sessions to spare.
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

// served says whether there is a worker, busy or not.
func (r *route) served() bool {
	return slices.ContainsFunc(r.tokens, func(t *token) bool { return len(t.ready) > 0 })
}

// hopeful says whether a worker is likely to come within moments: the last has gone not long ago and its successor hasn't failed.
func (r *route) hopeful(now time.Time, limit time.Duration) bool {
	return slices.ContainsFunc(r.tokens, func(t *token) bool { return t.failures == 0 && now.Sub(t.deserted) < limit })
}

// unavailable is the error for a caller that there is no worker for.
func (r *route) unavailable() error {
	var causes []error
	for _, t := range r.tokens {
		causes = append(causes, t.trouble())
	}
	return &UnavailableError{Cause: errors.Join(causes...)}
}

// trouble is why the token has no worker: why the last start failed or, where none has failed yet, why the last worker ended. Nil if none did.
func (t *token) trouble() error {
	if t.lastErr != nil {
		return t.lastErr
	}
	var last *slot
	for _, s := range t.slots {
		if s.lastErr != nil && (last == nil || s.status.Since.After(last.status.Since)) {
			last = s
		}
	}
	if last == nil {
		return nil
	}
	return last.lastErr
}

// next takes the call that has waited longest off the queue, nil if there is none.
func (r *route) next() *call {
	if len(r.waiting) == 0 {
		return nil
	}
	c := r.waiting[0]
	r.waiting[0] = nil
	if r.waiting = r.waiting[1:]; len(r.waiting) == 0 {
		r.waiting = nil // lets the array go
	}
	return c
}

// drop takes a call out of the queue that nobody waits for any more.
func (r *route) drop(c *call) {
	if i := slices.Index(r.waiting, c); i >= 0 {
		r.waiting = slices.Delete(r.waiting, i, i+1)
	}
}

// fail ends everything that waits.
func (r *route) fail(err error) {
	for c := r.next(); c != nil; c = r.next() {
		c.finish(result{err: err})
	}
}

// expire ends what has waited for longer than the limit.
func (r *route) expire(now time.Time, limit time.Duration) {
	r.waiting = slices.DeleteFunc(r.waiting, func(c *call) bool {
		late := now.Sub(c.queued) > limit
		if late && r.served() {
			c.finish(result{err: ErrBusy})
		} else if late {
			c.finish(result{err: r.unavailable()})
		}
		return late
	})
}

// finish gives the caller the result, the first one only. The pool is locked.
func (c *call) finish(r result) {
	if !c.finished {
		c.finished = true
		r.attempts = c.attempts
		c.done <- r
	}
}
