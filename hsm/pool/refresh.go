package pool

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/assertd/assertd/hsm/wire"
)

// reading is one look at a token.
type reading struct {
	workers []*worker // not asked yet
	asked   int       // and have not answered
	answers chan answer
}

type answer struct {
	inventory wire.Inventory
	err       error
}

// refresh takes a token's inventory from one worker, since a token with many
// keys takes a while to read. The next one is asked too if it fails or takes
// longer than a signature may. If the keys have changed every worker reads
// them, so that each knows its keys before it is asked for a signature. A
// worker that exits meanwhile says nothing about the token.
func (p *Pool) refresh(ctx context.Context, t *token) error {
	if t.hidesNewKeys() {
		return p.readByScout(ctx, t)
	}
	workers := p.readyWorkers(t)
	r := &reading{workers: workers, answers: make(chan answer, len(workers))}
	r.ask(ctx, p)
	late := time.NewTicker(p.cfg.Timeout)
	defer late.Stop()
	failed, answered := t.noWorker(), false
	for r.asked > 0 {
		select {
		case a := <-r.answers:
			r.asked--
			if a.err != nil {
				failed = a.err
				r.ask(ctx, p)
				continue
			}
			answered = true
			if !p.took(t, a.inventory) {
				return nil
			}
			for len(r.workers) > 0 {
				r.ask(ctx, p)
			}
		case <-late.C:
			r.ask(ctx, p)
		}
	}
	if answered {
		return nil
	}
	return failed
}

// ask has the next worker read the token, if there is one.
func (r *reading) ask(ctx context.Context, p *Pool) {
	if len(r.workers) == 0 {
		return
	}
	w := r.workers[0]
	r.workers, r.asked = r.workers[1:], r.asked+1
	go func() {
		inventory, err := p.inventoryOf(ctx, w)
		r.answers <- answer{inventory, err}
	}()
}

func (p *Pool) inventoryOf(ctx context.Context, w *worker) (wire.Inventory, error) {
	r := p.ask(ctx, w, newPinnedCall(wire.Raw{Kind: wire.KindInventory}, p.cfg.StartTimeout))
	if r.err != nil {
		return wire.Inventory{}, r.err
	}
	return p.decode(w.token, r.payload)
}

// listing is an inventory as it came.
type listing struct {
	sum       [sha256.Size]byte
	inventory wire.Inventory
}

// decode decodes an inventory, unless it is the last one again: nearly all are.
func (p *Pool) decode(t *token, payload []byte) (wire.Inventory, error) {
	sum := sha256.Sum256(payload)
	p.mu.Lock()
	last := t.last
	p.mu.Unlock()
	if last != nil && last.sum == sum {
		return last.inventory, nil
	}
	inventory, err := wire.DecodeInventory(payload, t.config.Name)
	if err == nil {
		p.mu.Lock()
		t.last = &listing{sum, inventory}
		p.mu.Unlock()
	}
	return inventory, err
}

// took takes over what a worker read on its token, and reports whether the keys
// have changed.
func (p *Pool) took(t *token, read wire.Inventory) (changed bool) {
	p.mu.Lock()
	defer p.unlock()
	p.noteState(t, read.PIN)
	return p.setKeys(t, read.Keys)
}
