package pool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/wire"
	"github.com/assertd/assertd/ipc"
)

// These bound how often one signature is sent: once, and again if the worker
// that had it died. A request that crashes the module kills this many workers
// and no more; one that merely shared a worker with it gets a second chance
// after the first resend. A worker that hangs costs a whole timeout, so a
// signature that hung is repeated only once.
const (
	maxAttempts = 3
	maxTimeouts = 2
)

// call is a request on its way. The pool's lock guards the fields below the
// line.
type call struct {
	message wire.Message
	key     wire.KeyRef
	pinned  bool          // for one worker, and never resent
	timeout time.Duration // for a worker's answer
	done    chan result   // has room for the one result
	began   time.Time

	finished    bool // nobody waits for it any more
	queued      time.Time
	attempts    int
	timeouts    int
	outstanding int // workers that have it
}

// attempt is a call that a worker has.
type attempt struct {
	call   *call
	sent   time.Time
	hedged bool // a second worker has been asked too
}

// result is how a call ended.
type result struct {
	kind     wire.Kind
	payload  []byte // owned by the caller
	reply    wire.SignReply
	err      error
	worker   *worker
	sent     time.Time
	answered time.Time
	attempts int
}

// signCall is a call for a signature with everything that it points to, so that
// one allocation is enough.
type signCall struct {
	call
	request wire.SignRequest
	digest  [64]byte
}

// newSignCall copies digest and message: a call can be resent after its caller
// has gone.
func newSignCall(r wire.SignRequest, timeout time.Duration) *call {
	s := &signCall{request: r}
	s.request.Digest, s.request.Message = append(s.digest[:0], r.Digest...), bytes.Clone(r.Message)
	s.call = call{message: &s.request, key: r.Key, timeout: timeout, done: make(chan result, 1)}
	return &s.call
}

func newPinnedCall(m wire.Message, timeout time.Duration) *call {
	return &call{message: m, pinned: true, timeout: timeout, done: make(chan result, 1)}
}

// finish delivers the result, if it is the first. The pool is locked.
func (c *call) finish(r result) {
	if !c.finished {
		c.finished = true
		r.attempts = c.attempts
		c.done <- r
	}
}

// do sends the call to a worker, or queues it, and waits for the result. If ctx
// ends first the worker's answer is discarded.
func (p *Pool) do(ctx context.Context, c *call) result {
	c.began = time.Now()
	p.mu.Lock()
	w, id, err := p.dispatch(c, c.began)
	p.mu.Unlock()
	if err != nil {
		return result{err: err}
	}
	return p.await(ctx, c, w, id)
}

// ask is do for one particular worker.
func (p *Pool) ask(ctx context.Context, w *worker, c *call) result {
	c.began = time.Now()
	p.mu.Lock()
	if w.retired || w.leaving {
		p.mu.Unlock()
		return result{err: &UnavailableError{Cause: w.cause}}
	}
	id := w.assign(c, c.began)
	p.mu.Unlock()
	return p.await(ctx, c, w, id)
}

func (p *Pool) await(ctx context.Context, c *call, w *worker, id uint32) result {
	if w != nil {
		w.out.Send(c.message, id)
	}
	select {
	case r := <-c.done:
		return r
	case <-ctx.Done():
		p.abandon(c)
		return result{err: fmt.Errorf("hsm/pool: wait for the token: %w", context.Cause(ctx))}
	}
}

// dispatch assigns the call to a worker; without a worker and an error it is in
// the queue. The pool is locked.
func (p *Pool) dispatch(c *call, now time.Time) (*worker, uint32, error) {
	r, err := p.routeOf(c.key)
	if err != nil {
		return nil, 0, err
	}
	if w := r.pick(); w != nil {
		return w, w.assign(c, now), nil
	}
	if !r.expectsWorker(now, p.cfg.Timeout) {
		return nil, 0, r.unavailable()
	}
	if len(r.waiting) >= p.cfg.Queue {
		return nil, 0, ErrBusy
	}
	c.queued = now
	r.waiting = append(r.waiting, c)
	return nil, 0, nil
}

func (p *Pool) routeOf(key wire.KeyRef) (*route, error) {
	if p.stopped {
		return nil, ErrStopped
	}
	if r, ok := p.keys[key]; ok {
		return r, nil
	}
	if i := slices.IndexFunc(p.tokens, func(t *token) bool { return !t.read }); i >= 0 {
		return nil, &UnavailableError{Cause: p.tokens[i].lastErr} // that token may hold it
	}
	return nil, fmt.Errorf("%w: no token holds a key pair whose public half has SHA-256 %x", hsm.ErrKeyNotFound, key[:8])
}

// abandon forgets a call whose caller has gone. The deadline of a worker that
// has it still holds.
func (p *Pool) abandon(c *call) {
	p.mu.Lock()
	defer p.unlock()
	c.finished = true
	if r, ok := p.keys[c.key]; ok {
		r.drop(c)
	}
}

// complete delivers a worker's answer and gives the worker its next call.
func (p *Pool) complete(w *worker, id uint32, r result) {
	r.worker, r.answered = w, time.Now()
	p.mu.Lock()
	a, ok := w.inFlight[id]
	if !ok { // reassigned when the worker missed its deadline
		p.mu.Unlock()
		return
	}
	delete(w.inFlight, id)
	w.answered++
	if r.kind == wire.KindSignature {
		w.token.measured(r.reply.Module)
	}
	a.call.outstanding--
	r.sent = a.sent
	a.call.finish(r)
	next, nextID := p.nextFor(w, r.answered)
	p.mu.Unlock()
	if next != nil {
		w.out.Send(next.message, nextID)
	}
}

// nextFor assigns the call to the worker that has waited longest for its token,
// if the worker has room. The pool is locked.
func (p *Pool) nextFor(w *worker, now time.Time) (*call, uint32) {
	if w.retired || w.leaving || len(w.inFlight) >= w.depth {
		return nil, 0
	}
	var oldest *route
	for set, r := range p.routes {
		if set&w.token.bit == 0 || len(r.waiting) == 0 {
			continue
		}
		if oldest == nil || r.waiting[0].queued.Before(oldest.waiting[0].queued) {
			oldest = r
		}
	}
	if oldest == nil {
		return nil, 0
	}
	c := oldest.next()
	return c, w.assign(c, now)
}

// retire takes a worker out of service, reassigns its calls and kills its
// process. Only the first reason counts. Kind is the event that reports it, if
// any.
func (p *Pool) retire(w *worker, cause error, kind EventKind) {
	p.mu.Lock()
	if w.retired {
		p.unlock()
		return
	}
	if w.leaving && len(w.inFlight) == 0 {
		cause = errReplaced
	}
	w.retired, w.cause = true, cause
	if kind != "" {
		p.event(kind, w.slot, w.pid, cause)
	}
	w.slot.set(ipc.WorkerWaiting, cause)
	w.leaveService()
	orphans := w.inFlight
	w.inFlight = nil
	for _, a := range orphans {
		p.resend(a.call, w, cause)
	}
	p.announce()
	p.unlock()
	w.kill()
}

// resend sends a call of a worker that was retired to another one, unless it
// has been tried often enough. The pool is locked.
func (p *Pool) resend(c *call, w *worker, cause error) {
	c.outstanding--
	if errors.Is(cause, ErrTimeout) {
		c.timeouts++
	}
	switch {
	case c.finished || c.outstanding > 0:
		return
	case c.timeouts >= maxTimeouts:
		c.finish(result{err: ErrTimeout})
		return
	case c.pinned || c.attempts >= maxAttempts:
		c.finish(result{err: &UnavailableError{Cause: cause}})
		return
	}
	p.event(EventResend, w.slot, w.pid, cause)
	p.redispatch(c)
}

// redispatch reassigns a call that a worker had. If it must wait, it goes
// first. The pool is locked.
func (p *Pool) redispatch(c *call) {
	now := time.Now()
	if r := p.reassign(c, now); r != nil {
		c.queued = now
		r.waiting = slices.Insert(r.waiting, 0, c)
	}
}

// reassign gives a call to a worker, or fails it if none is expected. If it
// must wait, reassign returns the route in whose queue. The pool is locked.
func (p *Pool) reassign(c *call, now time.Time) *route {
	r, err := p.routeOf(c.key)
	if err == nil && !r.expectsWorker(now, p.cfg.Timeout) {
		err = r.unavailable()
	}
	if err != nil {
		c.finish(result{err: err})
		return nil
	}
	if w := r.pick(); w != nil {
		p.outgoing = append(p.outgoing, delivery{w, c, w.assign(c, now)})
		return nil
	}
	return r
}
