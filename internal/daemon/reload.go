package daemon

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/memory"
	"github.com/assertd/assertd/ipc"
)

// ReloadState says when the configuration last changed or was refused, with the
// error for errors.Is. The error is for operators: it quotes the configuration.
type ReloadState struct {
	ipc.ReloadStatus
	Err error // why the last reload was refused; nil if it took effect
}

// LastReload returns the outcome of the reloads so far.
func (d *Daemon) LastReload() ReloadState { return *d.lastReload.Load() }

// Reload reads the configuration again and puts its clients, grants, rates and
// key sets in force, all of them or, where anything is wrong, none. Requests in
// flight finish under the policy that decided them. What was spent of a rate
// window that stays is still spent. A PIN that was refused is tried once more,
// since that is what an operator reloads for; not so one that was typed. The audit log's file is opened anew
// whatever becomes of the configuration: logrotate asks for that in the same way.
func (d *Daemon) Reload() error {
	// One at a time: a file that was read earlier must not overtake a later one.
	d.reloading.Lock()
	defer d.reloading.Unlock()
	memory.Tighten()
	defer memory.Settle()
	state := d.LastReload()
	if state.Err = d.reload(); state.Err != nil {
		state.Failure = d.Now()
		d.Logger.Error("reload refused; the configuration in force stays", "error", state.Err)
	} else {
		state.Success = d.Now()
		d.Logger.Info("reloaded")
	}
	state.Error = text(state.Err)
	d.lastReload.Store(&state)
	return errors.Join(state.Err, d.reopenAudit())
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
	if err := d.replace(parts); err != nil {
		return err
	}
	d.noteReload()
	d.rotation.Trigger()
	if err := d.retryTokens(); err != nil {
		d.Logger.Error("tokens are not tried again before their time", "error", err)
	}
	return nil
}

// replace puts the parts in force in one step.
func (d *Daemon) replace(parts decisions) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	ring, err := keyset.New(parts.sets, pairs(d.pool.Inventory()), d.Now)
	if err != nil {
		return err
	}
	return d.signer.Replace(parts.policy, func() error {
		if err := d.limiter.Configure(parts.budgets); err != nil {
			return fmt.Errorf("rates: %w", err)
		}
		d.decisions = parts
		d.metrics.Configure(parts.names)
		d.ring.Replace(ring)
		return nil
	})
}

// retryTokens has the workers try every token again at once, those too that
// refused a PIN: an operator who reloads has seen to it. A PIN that was typed is
// the exception: nobody can have corrected it.
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
