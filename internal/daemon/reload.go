package daemon

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/assertd/assertd/internal/keyring"
)

// Reload reads the configuration again and puts its clients, grants, rates and
// key sets in force, all of them or, where anything is wrong, none. Requests in
// flight finish under the policy that decided them. What was spent of a rate
// window that stays is still spent. A PIN that was refused is tried once more,
// since that is what an operator reloads for.
func (d *Daemon) Reload() error {
	if err := d.reload(); err != nil {
		d.Logger.Error("reload refused; the configuration in force stays", "error", err)
		return err
	}
	d.Logger.Info("reloaded")
	return nil
}

func (d *Daemon) reload() error {
	next, err := d.Reread()
	if err != nil {
		return err
	}
	if err := restartOnly(d.Config, next); err != nil {
		return err
	}
	parts, err := newDecisions(next)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	ring, err := keyring.New(parts.sets, pairs(d.pool.Inventory()), d.Now)
	if err != nil {
		return err
	}
	// Configure is the last that can fail; from here on all is in force.
	if err := d.limiter.Configure(parts.budgets); err != nil {
		return fmt.Errorf("rates: %w", err)
	}
	d.decisions = parts
	d.ring.current.Store(ring)
	d.signer.SetPolicy(parts.policy)
	d.noteReload()
	d.rotation.poke()
	return d.retryTokens()
}

// retryTokens has the workers try every token again at once, those too that
// refused a PIN: an operator who reloads has seen to it.
func (d *Daemon) retryTokens() error {
	var problems []error
	for _, token := range d.tokens {
		problems = append(problems, d.pool.Reset(token.Name, token.PIN))
	}
	return errors.Join(problems...)
}

// noteReload has the watcher publish and probe anew.
func (d *Daemon) noteReload() {
	select {
	case d.reloaded <- struct{}{}:
	default:
	}
}

func same(a, b any) bool { return reflect.DeepEqual(a, b) }
