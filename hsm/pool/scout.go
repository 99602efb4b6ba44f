package pool

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/wire"
	"github.com/assertd/assertd/ipc"
)

// Some modules show a process only the objects that existed when it logged in,
// and those that it made itself. A token of such a module is read by a scout, a
// process that only reads, and workers that don't see what it saw are replaced.

// errReplaced is why a worker went that did not see all keys.
var errReplaced = errors.New("hsm/pool: the worker was replaced, because it did not see all keys on the token")

// readByScout is refresh for such a token. The keys become known once every
// worker sees them.
func (p *Pool) readByScout(ctx context.Context, t *token) error {
	inventory, err := p.scout(ctx, t)
	if err != nil {
		return err
	}
	p.scouted(t, inventory.PIN)
	if err := p.replaceStale(ctx, t, refsOf(inventory.Keys)); err != nil {
		return err
	}
	p.took(t, wire.Inventory{PIN: hsm.PINOK, Keys: inventory.Keys})
	return nil
}

// scout reads the token in a new process. Its login is one that the token
// counts, so a PIN that isn't tried for workers isn't tried here either.
func (p *Pool) scout(ctx context.Context, t *token) (wire.Inventory, error) {
	s := t.slots[0]
	if _, err := p.mayStart(s); err != nil {
		return wire.Inventory{}, err
	}
	starting, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	if !t.lockStart(starting) {
		return wire.Inventory{}, fmt.Errorf("hsm/pool: token %q: a worker is starting", t.config.Name)
	}
	defer t.unlockStart()
	if _, err := p.mayStart(s); err != nil { // the start that was waited for may have been refused
		return wire.Inventory{}, err
	}
	w, inventory, err := s.launch(ctx, p)
	if err != nil {
		p.scoutFailed(s, err)
		return wire.Inventory{}, err
	}
	w.process.end(wire.StopGrace)
	return inventory, nil
}

func (p *Pool) scouted(t *token, before hsm.PINState) {
	p.mu.Lock()
	defer p.unlock()
	p.loggedIn(t, before)
}

// scoutFailed notes a PIN that isn't taken any more, before the workers need
// it.
func (p *Pool) scoutFailed(s *slot, err error) {
	p.mu.Lock()
	defer p.unlock()
	if t := s.token; refusedPIN(err) {
		t.pin.hold(err, p.cfg.LockedPause)
		p.event(EventRefused, s, 0, err)
	}
}

// replaceStale replaces the token's workers that don't see exactly these keys,
// one after another.
func (p *Pool) replaceStale(ctx context.Context, t *token, keys map[wire.KeyRef]bool) error {
	for _, w := range p.readyWorkers(t) {
		if p.sees(w, keys) {
			continue
		}
		if err := p.replace(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// replace takes a worker out of service, lets it finish what it has, and waits
// for the next one in its place.
func (p *Pool) replace(ctx context.Context, w *worker) error {
	p.mu.Lock()
	w.leaving = true
	w.leaveService()
	p.unlock()
	w.stop(time.Now().Add(p.cfg.Timeout + wire.StopGrace))
	return p.wait(ctx, "a worker that sees all keys", func() (bool, error) {
		return w.slot.status.State == ipc.WorkerReady && w.slot.worker != w, nil
	})
}

// leaveService takes the worker off the list of those that get requests. The
// pool is locked.
func (w *worker) leaveService() {
	w.token.ready = slices.DeleteFunc(w.token.ready, func(other *worker) bool { return other == w })
	if len(w.token.ready) == 0 {
		w.token.lastReadyAt = time.Now()
	}
}

func (p *Pool) sees(w *worker, keys map[wire.KeyRef]bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return w.leaving || w.retired || maps.Equal(w.keys, keys)
}

// refsOf names the keys that have a public half.
func refsOf(keys []wire.KeyInfo) map[wire.KeyRef]bool {
	refs := make(map[wire.KeyRef]bool, len(keys))
	for _, k := range keys {
		if k.Public != nil {
			refs[k.Ref] = true
		}
	}
	return refs
}

// showGenerated replaces the workers that don't see a key that one of them
// generated, if the module hides it from the others.
func (p *Pool) showGenerated(ctx context.Context, w *worker, key wire.KeyInfo) error {
	if !w.token.hidesNewKeys() {
		return nil
	}
	p.mu.Lock()
	w.keys[key.Ref] = true
	keys := maps.Clone(w.keys)
	p.mu.Unlock()
	return p.replaceStale(ctx, w.token, keys)
}
