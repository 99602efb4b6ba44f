package daemon

import (
	"errors"
	"fmt"
	"slices"

	"github.com/assertd/assertd/internal/config"
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

// LastReload returns when reloads last succeeded and failed.
func (d *Daemon) LastReload() ReloadState { return *d.lastReload.Load() }

// Reload reads the configuration again and puts its clients, grants, rates and
// key sets in force: all of them or, if anything is wrong, none. It reads the
// tokens first, so that a key set can switch to a key that was generated just
// before. A change that would break a key set in use is refused
// (keyset.Regressions). Requests in flight finish under the policy that decided
// them. Rate windows that stay keep what was spent. A refused PIN is tried once
// more, since operators reload after fixing it, unless it was typed. The audit
// log is always reopened, because logrotate sends the same signal.
func (d *Daemon) Reload() error {
	// One at a time: an older file must not replace a newer one.
	d.reloading.Lock()
	defer d.reloading.Unlock()
	memory.Tighten()
	defer memory.Settle()
	state := d.LastReload()
	if state.Err = d.reload(); state.Err != nil {
		state.Failure = d.Now()
		d.Logger.Error("reload refused; keeping the current configuration", "error", state.Err)
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
	if err := config.RestartOnly(d.Config, next); err != nil {
		return err
	}
	decided, err := newDecisions(next)
	if err != nil {
		return err
	}
	d.rotation.ReadTokens()
	if err := d.replace(decided); err != nil {
		return err
	}
	d.ready.health.Retry()
	d.signalReload()
	d.rotation.Trigger()
	if err := d.retryTokens(); err != nil {
		d.Logger.Error("could not retry the tokens at once", "error", err)
	}
	return nil
}

// replace puts decisions in force atomically.
func (d *Daemon) replace(next decisions) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	unread := d.pool.Unread()
	current, ring := d.newRing(d.decisions.sets, unread), d.newRing(next.sets, unread)
	if err := keyset.Regressions(current, ring, slices.Concat(next.issuing, []string{d.Config.Audit.CheckpointKey})); err != nil {
		return err
	}
	return d.signer.Replace(next.policy, func() error {
		if err := d.limiter.Configure(next.budgets); err != nil {
			return fmt.Errorf("rates: %w", err)
		}
		d.decisions = next
		d.metrics.Configure(next.names)
		d.use(ring)
		return nil
	})
}

// retryTokens makes the workers retry every token now, even one that refused
// the PIN: the operator may have fixed it. A typed PIN isn't retried, since it
// can't have changed.
func (d *Daemon) retryTokens() error {
	var problems []error
	for _, token := range d.tokens {
		problems = append(problems, d.pool.Reset(token.Name, token.PIN))
	}
	return errors.Join(problems...)
}

// signalReload makes watch publish and probe again.
func (d *Daemon) signalReload() {
	select {
	case d.reloaded <- struct{}{}:
	default:
	}
}
