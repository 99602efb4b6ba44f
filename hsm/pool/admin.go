package pool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/wire"
)

// generateTimeout is how long a worker may take to make a key pair: devices
// take a minute for a large RSA key.
const generateTimeout = 2 * time.Minute

// Refresh reads every token again, to notice keys that others made or
// destroyed. The error says which tokens could not be read; the
// inventory has what the others reported.
func (p *Pool) Refresh(ctx context.Context) error {
	if err := p.lockAdmin(ctx); err != nil {
		return err
	}
	defer p.unlockAdmin()
	var all sync.WaitGroup
	failed := make([]error, len(p.tokens))
	for i, t := range p.tokens {
		all.Go(func() { failed[i] = p.refresh(ctx, t) })
	}
	all.Wait()
	return errors.Join(failed...)
}

// lockAdmin admits one long request at a time: workers refuse more than their
// depth.
func (p *Pool) lockAdmin(ctx context.Context) error {
	select {
	case p.admin <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("hsm/pool: wait for another key generation or refresh: %w", context.Cause(ctx))
	}
}

func (p *Pool) unlockAdmin() { <-p.admin }

func (t *token) noWorker() error {
	return &UnavailableError{Cause: fmt.Errorf("token %q has no worker", t.config.Name)}
}

// generated adds a key that a worker generated.
func (p *Pool) generated(t *token, key wire.KeyInfo) {
	p.mu.Lock()
	defer p.unlock()
	p.setKeys(t, append(slices.Clone(t.keys), key))
}

// Generate makes a key pair on the first token of the configuration; operators
// keep the other tokens in step. The key can be used when Generate returns.
// Generate isn't retried: after ErrUnavailable, a timeout or the end of ctx the
// key may or may not exist, and Refresh finds out. A key that fails its proof
// is destroyed, if need be by another worker. If none can, the error is
// hsm.ErrLeftover and the pool never uses the key.
func (p *Pool) Generate(ctx context.Context, spec hsm.Spec) (wire.KeyInfo, error) {
	if err := p.lockAdmin(ctx); err != nil {
		return wire.KeyInfo{}, err
	}
	defer p.unlockAdmin()
	if len(spec.ID) == 0 {
		spec.ID = hsm.NewID() // Discard needs it
	}
	t := p.tokens[0]
	workers := p.readyWorkers(t)
	if len(workers) == 0 {
		return wire.KeyInfo{}, t.noWorker()
	}
	payload, err := p.administer(ctx, workers[0], wire.KindGenerate, spec, generateTimeout)
	if errors.Is(err, hsm.ErrLeftover) {
		return wire.KeyInfo{}, p.discardFailed(ctx, t, spec, err)
	}
	if err != nil {
		return wire.KeyInfo{}, err
	}
	key, err := wire.DecodeKey(payload, t.config.Name)
	if err != nil {
		return wire.KeyInfo{}, err
	}
	err = p.showGenerated(ctx, workers[0], key)
	p.generated(t, key)
	return key, err
}

// administer has a worker generate or discard a key.
func (p *Pool) administer(ctx context.Context, w *worker, kind wire.Kind, spec hsm.Spec, timeout time.Duration) ([]byte, error) {
	payload, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("hsm/pool: encode the request for a key: %w", err)
	}
	r := p.ask(ctx, w, newPinnedCall(wire.Raw{Kind: kind, Payload: payload}, timeout))
	return r.payload, r.err
}
