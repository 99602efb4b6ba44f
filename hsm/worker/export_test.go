package worker

import "context"

// Ping goes to the worker that has the least to do and back, as a signature does but for the signature.
func (p *Pool) Ping(ctx context.Context) error {
	p.mu.Lock()
	w := (&route{tokens: p.tokens}).pick()
	p.mu.Unlock()
	if w == nil {
		return ErrBusy
	}
	return p.ask(ctx, w, newPinnedCall(raw{kindPing, nil}, p.cfg.Timeout)).err
}
