package pool

import (
	"github.com/assertd/assertd/hsm/wire"
)

import "context"

// Ping goes to the worker that has the least to do and back, as a signature does but for the signature.
func (p *Pool) Ping(ctx context.Context) error {
	p.mu.Lock()
	w := (&route{tokens: p.tokens}).pick()
	p.mu.Unlock()
	if w == nil {
		return ErrBusy
	}
	return p.ask(ctx, w, newPinnedCall(wire.Raw{Kind: wire.KindPing}, p.cfg.Timeout)).err
}
