package pool

import (
	"context"

	"github.com/assertd/assertd/hsm/wire"
)

// LastPing returns when a worker last answered a ping, in Unix nanoseconds.
func (p *Pool) LastPing() (last int64) {
	for _, w := range p.readyWorkers(nil) {
		last = max(last, w.pinged.Load())
	}
	return last
}

// Ping sends a ping the way a signature goes: to the least busy worker and
// back.
func (p *Pool) Ping(ctx context.Context) error {
	p.mu.Lock()
	w := (&route{tokens: p.tokens}).pick()
	p.mu.Unlock()
	if w == nil {
		return ErrBusy
	}
	return p.ask(ctx, w, newPinnedCall(wire.Raw{Kind: wire.KindPing}, p.cfg.Timeout)).err
}

// Queued is how many signatures wait for a worker.
func (p *Pool) Queued() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.routes {
		n += len(r.waiting)
	}
	return n
}
