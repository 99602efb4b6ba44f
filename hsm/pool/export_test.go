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
