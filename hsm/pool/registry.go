package pool

import (
	"slices"
	"time"

	"github.com/assertd/assertd/hsm/wire"
	"github.com/assertd/assertd/ipc"
)

// add makes a started worker one that gets work.
func (p *Pool) add(w *worker, keys []wire.KeyInfo) {
	p.mu.Lock()
	defer p.unlock()
	t, s := w.token, w.slot
	w.verified.Store(time.Now().UnixNano())
	t.ready = append(t.ready, w)
	t.failures, t.lastErr, t.refused = 0, nil, false
	s.worker = w
	if s.started {
		s.status.Restarts++
	}
	s.started = true
	w.since = time.Now()
	s.set(ipc.WorkerReady, nil)
	p.event(EventReady, s, w.pid, nil)
	p.setKeys(t, keys)
	for {
		c, id := p.nextFor(w, time.Now())
		if c == nil {
			break
		}
		p.outgoing = append(p.outgoing, delivery{w, c, id})
	}
	p.announce()
}

// setKeys takes a token's new inventory, and finds anew which tokens hold which key. The pool is locked.
func (p *Pool) setKeys(t *token, keys []wire.KeyInfo) {
	if t.known && slices.EqualFunc(t.keys, keys, wire.KeyInfo.Equal) {
		return
	}
	t.keys, t.known = keys, true
	holders := map[wire.KeyRef]uint64{}
	for _, t := range p.tokens {
		for _, k := range t.keys {
			if k.Signs() {
				holders[k.Ref] |= t.bit
			}
		}
	}
	var waiting []*call
	for _, r := range p.routes {
		waiting = append(waiting, r.waiting...)
	}
	p.routes, p.keys = map[uint64]*route{}, make(map[wire.KeyRef]*route, len(holders))
	for ref, set := range holders {
		p.keys[ref] = p.routeFor(set)
	}
	p.replace(waiting)
	p.announce()
}

func (p *Pool) routeFor(set uint64) *route {
	r := p.routes[set]
	if r == nil {
		r = &route{}
		for _, t := range p.tokens {
			if set&t.bit != 0 {
				r.tokens = append(r.tokens, t)
			}
		}
		p.routes[set] = r
	}
	return r
}

// replace puts calls that waited back into the queue of their key, in their order.
func (p *Pool) replace(waiting []*call) {
	slices.SortFunc(waiting, func(a, b *call) int { return a.queued.Compare(b.queued) })
	for _, c := range waiting {
		r, err := p.routeOf(c.key)
		if err != nil {
			c.finish(result{err: err})
			continue
		}
		r.waiting = append(r.waiting, c)
	}
}

// left notes that a slot's worker has ended. It returns how many in a row were not worth their start: one that answers once and crashes would
// otherwise be started without end and without a pause, and have the machine do nothing but log in.
func (p *Pool) left(s *slot, w *worker, cause error) int {
	p.mu.Lock()
	defer p.unlock()
	s.idle++
	if w.answered >= worthAStart || time.Since(w.since) > longestPause {
		s.idle = 0
	}
	s.worker = nil
	s.fail(cause)
	if !p.stopped {
		p.event(EventExit, s, w.pid, cause)
	}
	p.announce()
	return s.idle
}

func (p *Pool) setState(s *slot, state string, err error) {
	p.mu.Lock()
	defer p.unlock()
	s.set(state, err)
	p.announce()
}

// mayStart says whether the token may be asked now, which it may not while the PIN that it refused is the one it would get. Reset closes the
// channel.
func (p *Pool) mayStart(s *slot) (<-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.token.refused {
		return s.token.reset, s.token.lastErr
	}
	return s.token.reset, nil
}

// startFailed notes that a worker could not be started, and ends what waits for a token that won't come back within moments. It returns how many
// starts of the token have failed in a row. A refused PIN counts as such only if no Reset has come in between, which may have brought another:
// reset is what mayStart gave. One that was typed stays the same through every Reset.
func (p *Pool) startFailed(s *slot, err error, reset <-chan struct{}) int {
	p.mu.Lock()
	defer p.unlock()
	t := s.token
	s.set(ipc.WorkerWaiting, err)
	kind, refused := EventFailed, refusedPIN(err) && (reset == t.reset || t.config.PIN.Value != nil)
	if refused {
		s.status.State, kind = ipc.WorkerRefused, EventRefused
	}
	t.failures++
	if !t.refused {
		p.event(kind, s, 0, err)
		p.events[len(p.events)-1].Failures = t.failures
	}
	t.lastErr, t.refused = err, refused
	for _, r := range p.routes {
		if !r.served() && !r.hopeful(time.Now(), p.cfg.Timeout) {
			r.fail(r.unavailable())
		}
	}
	p.announce()
	return t.failures
}

func (p *Pool) failing(t *token) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return t.failures > 0
}

// configOf is the token's configuration with the PIN source that holds now.
func (p *Pool) configOf(t *token) TokenConfig {
	p.mu.Lock()
	defer p.mu.Unlock()
	return t.config
}

func (p *Pool) causeOf(w *worker) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return w.cause
}

// Inventory lists the keys of all tokens as they were when last looked at: when a worker started, and at each Refresh. A key pair that is on two
// tokens is listed twice. A token that is away keeps its keys here.
func (p *Pool) Inventory() []wire.KeyInfo {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []wire.KeyInfo
	for _, t := range p.tokens {
		all = append(all, t.keys...)
	}
	return all
}

// Unread names the tokens whose keys have never been read: Inventory may lack keys until there are none. A token that is
// away after it was read once is not among them.
func (p *Pool) Unread() (names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.tokens {
		if !t.known {
			names = append(names, t.config.Name)
		}
	}
	return names
}

// readyWorkers lists the workers that can be asked now: all of them, or those of one token.
func (p *Pool) readyWorkers(of *token) []*worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []*worker
	for _, t := range p.tokens {
		if of == nil || t == of {
			all = append(all, t.ready...)
		}
	}
	return all
}
