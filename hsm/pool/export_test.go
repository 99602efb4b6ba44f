package pool

import (
	"context"

	"github.com/assertd/assertd/hsm/wire"
)

// Ping sends a ping the way a signature goes: to the least busy worker and back.
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
