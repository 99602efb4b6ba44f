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

// generateTimeout is how long a worker may take to make a key pair: devices take a minute for a large RSA key.
const generateTimeout = 2 * time.Minute

// Refresh looks at every token again, in every worker, so that keys that others made or deleted are noticed. The error says which tokens could
// not be looked at; the inventory has what the others answered.
func (p *Pool) Refresh(ctx context.Context) error {
	if err := p.administer(ctx); err != nil {
		return err
	}
	defer p.administered()
	var all sync.WaitGroup
	failed := make([]error, len(p.tokens))
	for i, t := range p.tokens {
		all.Go(func() { failed[i] = p.refresh(ctx, t) })
	}
	all.Wait()
	return errors.Join(failed...)
}

// administer lets one at a time ask workers for what takes long; they would take any number for a pool that has lost count.
func (p *Pool) administer(ctx context.Context) error {
	select {
	case p.admin <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("hsm/pool: wait for another to generate or refresh: %w", context.Cause(ctx))
	}
}

func (p *Pool) administered() { <-p.admin }

// refresh takes a token's inventory from any worker that answers; all are asked so that they learn of the keys as well. One that ends meanwhile
// says nothing about the token.
func (p *Pool) refresh(ctx context.Context, t *token) error {
	answered, failed := false, error(&UnavailableError{Cause: fmt.Errorf("token %q has no worker", t.config.Name)})
	for _, w := range p.readyWorkers(t) {
		keys, err := p.inventoryOf(ctx, w)
		if err != nil {
			failed = err
			continue
		}
		answered = true
		p.update(t, func([]wire.KeyInfo) []wire.KeyInfo { return keys })
	}
	if answered {
		return nil
	}
	return failed
}

func (p *Pool) inventoryOf(ctx context.Context, w *worker) ([]wire.KeyInfo, error) {
	r := p.ask(ctx, w, newPinnedCall(wire.Raw{Kind: wire.KindInventory}, p.cfg.StartTimeout))
	if r.err != nil {
		return nil, r.err
	}
	return wire.DecodeInventory(r.payload, w.token.config.Name)
}

func (p *Pool) update(t *token, change func([]wire.KeyInfo) []wire.KeyInfo) {
	p.mu.Lock()
	defer p.unlock()
	p.setKeys(t, change(t.keys))
}

// Generate makes a key pair on the first token of the configuration, the others being copies that their operator keeps in step. It can be used
// when Generate returns. It is not tried again: after ErrUnavailable, a timeout or the end of ctx the key may or may not be there, which Refresh
// tells.
func (p *Pool) Generate(ctx context.Context, spec hsm.Spec) (wire.KeyInfo, error) {
	if err := p.administer(ctx); err != nil {
		return wire.KeyInfo{}, err
	}
	defer p.administered()
	t := p.tokens[0]
	payload, err := json.Marshal(spec)
	if err != nil {
		return wire.KeyInfo{}, fmt.Errorf("hsm/pool: encode the key to generate: %w", err)
	}
	workers := p.readyWorkers(t)
	if len(workers) == 0 {
		return wire.KeyInfo{}, &UnavailableError{Cause: fmt.Errorf("token %q has no worker", t.config.Name)}
	}
	r := p.ask(ctx, workers[0], newPinnedCall(wire.Raw{Kind: wire.KindGenerate, Payload: payload}, generateTimeout))
	if r.err != nil {
		return wire.KeyInfo{}, r.err
	}
	info, err := wire.DecodeKey(r.payload, t.config.Name)
	if err != nil {
		return wire.KeyInfo{}, err
	}
	p.update(t, func(keys []wire.KeyInfo) []wire.KeyInfo { return append(slices.Clone(keys), info) })
	return info, nil
}
