package pool

import (
	"context"
	"errors"
	"time"

	"github.com/assertd/assertd/hsm/wire"
	"github.com/assertd/assertd/internal/sleep"
	"github.com/assertd/assertd/ipc"
)

// minAnswers is how many requests a worker must have answered if it exits
// within longestPause, or the next one starts after a pause. A module that
// crashes now and then under load gets its workers back at once: growing pauses
// would cost more than the crashes.
const minAnswers = 25

// slot is a worker's place: one process after another fills it. The pool's lock
// guards it.
type slot struct {
	token      *token
	status     ipc.WorkerStatus // PID and InFlight are filled in by now
	started    bool             // a process has been ready
	shortLived int              // processes in a row that exited early, before minAnswers
	lastErr    error            // whose text is status.Error
	worker     *worker
}

// run keeps the slot filled until ctx ends.
func (s *slot) run(ctx context.Context, p *Pool) {
	for {
		w := s.start(ctx, p)
		if w == nil {
			p.setState(s, ipc.WorkerStopped, nil)
			return
		}
		cause := w.serve(ctx, p)
		shortLived := p.exited(s, w, cause)
		if !sleep.For(ctx, pause(shortLived)) {
			p.setState(s, ipc.WorkerStopped, cause)
			return
		}
	}
}

// Status lists all workers, by token in the order of the configuration and by
// place.
func (p *Pool) Status() []ipc.WorkerStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []ipc.WorkerStatus
	for _, t := range p.tokens {
		for _, s := range t.slots {
			all = append(all, s.now())
		}
	}
	return all
}

// now is the slot's status at this moment. The pool is locked.
func (s *slot) now() ipc.WorkerStatus {
	status := s.status
	if status.State == ipc.WorkerStarting && s.token.pin.held() {
		status.State = ipc.WorkerRefused // it waits for its turn, which doesn't come before Reset
	}
	if s.worker != nil {
		status.PID, status.InFlight = s.worker.pid, len(s.worker.inFlight)
	}
	return status
}

// set notes what the slot is doing and, unless nil, what went wrong. The pool
// is locked.
func (s *slot) set(state string, err error) {
	s.status.State, s.status.Since = state, time.Now()
	if err != nil {
		s.fail(err)
	}
}

func (s *slot) fail(err error) { s.lastErr, s.status.Error = err, err.Error() }

func (p *Pool) setState(s *slot, state string, err error) {
	p.mu.Lock()
	defer p.unlock()
	s.set(state, err)
	p.announce()
}

// add puts a worker that has started into service.
func (p *Pool) add(w *worker, inventory wire.Inventory) {
	p.mu.Lock()
	defer p.unlock()
	t, s := w.token, w.slot
	w.readyAt = time.Now()
	w.pinged.Store(w.readyAt.UnixNano())
	t.ready = append(t.ready, w)
	t.failures, t.lastErr = 0, nil
	t.described.Store(&inventory.Token)
	p.loggedIn(t, inventory.PIN)
	if s.started && !errors.Is(s.lastErr, errReplaced) { // which is no fault
		s.status.Restarts++
	}
	s.worker, s.started = w, true
	s.set(ipc.WorkerReady, nil)
	p.event(EventReady, s, w.pid, nil)
	w.keys = refsOf(inventory.Keys)
	if !t.hidesNewKeys() || len(t.ready) == 1 { // else another worker may not see them
		p.setKeys(t, inventory.Keys)
	}
	for {
		c, id := p.nextFor(w, time.Now())
		if c == nil {
			break
		}
		p.outgoing = append(p.outgoing, delivery{w, c, id})
	}
	p.triggerProofs() // the probes may have been set since the worker looked for one
	p.announce()
}

// exited notes that a slot's worker has exited. It returns how many in a row
// were short-lived. Without a pause, a worker that crashes at its first request
// would be restarted in a loop, and the machine would do nothing but log in.
func (p *Pool) exited(s *slot, w *worker, cause error) (shortLived int) {
	p.mu.Lock()
	defer p.unlock()
	s.shortLived++
	if w.leaving || w.answered >= minAnswers || time.Since(w.readyAt) > longestPause {
		s.shortLived = 0
	}
	s.worker = nil
	s.fail(cause)
	if !p.stopped && !errors.Is(cause, errReplaced) {
		p.event(EventExit, s, w.pid, cause)
	}
	p.announce()
	return s.shortLived
}

// mayStart fails while the token's PIN must not be tried. Reset closes the
// channel.
func (p *Pool) mayStart(s *slot) (reset <-chan struct{}, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return s.token.reset, s.token.pin.mayTry(time.Now())
}

// startFailed notes that a worker didn't start, and fails calls that wait for a
// token that won't be back within moments. It returns the pause before the next
// attempt, or false if only Reset leads to one. A PIN that isn't tried again is
// tried all the same if a Reset has happened since, which may have brought a
// new PIN: reset is the channel that mayStart returned.
func (p *Pool) startFailed(s *slot, err error, reset <-chan struct{}) (wait time.Duration, again bool) {
	p.mu.Lock()
	defer p.unlock()
	t := s.token
	s.set(ipc.WorkerWaiting, err)
	kind, held := EventFailed, t.pin.held()
	t.failures++
	t.lastErr = err
	if refusedPIN(err) && reset == t.reset {
		s.status.State, kind = ipc.WorkerRefused, EventRefused
		t.pin.hold(err, p.cfg.LockedPause)
	} else {
		t.pin.release()
	}
	if !held || !t.pin.held() {
		p.event(kind, s, 0, err)
	}
	for _, r := range p.routes {
		if !r.expectsWorker(time.Now(), p.cfg.Timeout) {
			r.fail(r.unavailable())
		}
	}
	p.announce()
	if t.pin.held() {
		return time.Until(t.pin.retryAt), !t.pin.retryAt.IsZero()
	}
	return pause(t.failures), true
}

// failing reports whether the token's last start failed.
func (p *Pool) failing(t *token) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return t.failures > 0
}
