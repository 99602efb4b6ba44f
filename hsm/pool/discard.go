package pool

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/wire"
)

// failedProblem is the Problem of a key that failed its proof and could not be
// destroyed.
const failedProblem = "it failed its proof when it was generated and could not be destroyed; destroy it"

// Discard destroys a key pair that failed its proof in another process: on the
// first token, by its label and ID. See hsm.LeftoverError.
func (p *Pool) Discard(ctx context.Context, label string, id []byte) error {
	if err := p.lockAdmin(ctx); err != nil {
		return err
	}
	defer p.unlockAdmin()
	return p.discard(ctx, p.tokens[0], hsm.Spec{Label: label, ID: id})
}

// discard asks the token's workers in turn, and waits for one that starts if
// none is in service.
func (p *Pool) discard(ctx context.Context, t *token, spec hsm.Spec) error {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.StartTimeout)
	defer cancel()
	err := p.wait(ctx, "a new worker", func() (bool, error) { return len(t.ready) > 0, nil })
	for _, w := range p.readyWorkers(t) {
		var payload []byte
		if payload, err = p.administer(ctx, w, wire.KindDiscard, spec, p.cfg.StartTimeout); err != nil {
			continue
		}
		inventory, err := wire.DecodeInventory(payload, t.config.Name)
		if err != nil {
			return err
		}
		if !t.hidesNewKeys() { // else this worker may not see what others made
			p.took(t, inventory)
		}
		return nil
	}
	return err
}

// discardFailed destroys a key pair that a worker left behind, from another
// worker: that one's module may be in a better state. The key is out of use
// from now on, whether or not this succeeds.
func (p *Pool) discardFailed(ctx context.Context, t *token, spec hsm.Spec, failed error) error {
	p.mu.Lock()
	t.failed = append(t.failed, spec.ID)
	p.mu.Unlock()
	if err := p.discard(ctx, t, spec); err != nil {
		return fmt.Errorf("%w; another worker could not destroy it either: %w", failed, err)
	}
	return fmt.Errorf("hsm/pool: the new key %q failed its proof; another worker destroyed it, and the log has the cause", spec.Label)
}

// withoutFailed marks the keys that failed their proof, so that nothing uses
// them. The pool is locked.
func (t *token) withoutFailed(keys []wire.KeyInfo) []wire.KeyInfo {
	if len(t.failed) == 0 {
		return keys
	}
	keys = slices.Clone(keys)
	for i := range keys {
		if keys[i].Problem == "" && slices.ContainsFunc(t.failed, func(id []byte) bool { return bytes.Equal(id, keys[i].ID) }) {
			keys[i].Problem = failedProblem
		}
	}
	return keys
}
