package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/memory"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
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
// (keyset.Regressions). Requests in flight finish under the policy that
// decided them. Rate windows that stay keep what was spent. A PIN that a token
// refused is tried only if it has changed.
func (d *Daemon) Reload() error { return d.reloadWith(false) }

// retryPIN is Reload, and tries each PIN once more. It records who asked first.
func (d *Daemon) retryPIN(ctx context.Context, from caller.Caller) error {
	if err := d.trail.RecordRetry(ctx, from); err != nil {
		return err
	}
	return d.reloadWith(true)
}

func (d *Daemon) reloadWith(retryPIN bool) error {
	// One at a time: an older file must not replace a newer one.
	d.reloading.Lock()
	defer d.reloading.Unlock()
	memory.Tighten()
	defer memory.Settle()
	state := d.LastReload()
	if state.Err = d.reload(retryPIN); state.Err != nil {
		state.Failure = d.Now()
		d.Logger.Error("reload refused; keeping the current configuration", "error", state.Err)
	} else {
		state.Success = d.Now()
		d.Logger.Info("reloaded")
	}
	state.Error = text(state.Err)
	d.lastReload.Store(&state)
	d.ready.report()
	return state.Err
}

func (d *Daemon) reload(retryPIN bool) error {
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
	if err := d.switchTo(decided); err != nil {
		return err
	}
	d.ready.health.Retry()
	d.signalReload()
	d.rotation.Trigger()
	if err := d.retryTokens(retryPIN); err != nil {
		d.Logger.Error("could not retry the tokens at once", "error", err)
	}
	return nil
}

// lookAgain bounds how long a reload looks for a key that a set needs to go on
// signing.
const lookAgain = 2 * time.Second

// switchTo reads the tokens and puts decisions in force. If a key set would
// then have no version that signs, it looks again for a moment: the next
// version may have been made just now, and a token that others log in to may
// not show it at once.
func (d *Daemon) switchTo(next decisions) error {
	for end := time.Now().Add(lookAgain); ; time.Sleep(lookAgain / 40) {
		d.rotation.ReadTokens()
		if again, err := d.replace(next, time.Now().Before(end)); !again {
			return err
		}
	}
}

// losesSigner reports whether a key set in use that signs now would have no
// version that signs under the next ring.
func losesSigner(current, next *keyset.Ring, issuing []string) bool {
	return slices.ContainsFunc(issuing, func(set string) bool {
		_, before := current.SigningKey(set)
		_, after := next.SigningKey(set)
		return before == nil && after != nil
	})
}

// replace puts decisions in force atomically. With patience it asks to be
// called again instead if a key set would lose its signer.
func (d *Daemon) replace(next decisions, patience bool) (again bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refreshLocked()
	current, ring := d.ring.Ring(), d.newRing(next.sets, d.holdings())
	if patience && losesSigner(current, ring, next.issuing) {
		return true, nil
	}
	if err := keyset.Regressions(current, ring, slices.Concat(next.issuing, []string{d.Config.Audit.CheckpointKey})); err != nil {
		return false, err
	}
	return false, d.force(next, ring)
}

// force puts checked decisions in force. No request is decided while it
// switches, so slow work comes before or after that. The caller holds mu.
func (d *Daemon) force(next decisions, ring *keyset.Ring) error {
	budgets, err := d.limiter.Prepare(next.budgets)
	if err != nil {
		return fmt.Errorf("rates: %w", err)
	}
	series := d.metrics.Resolve(next.names)
	var forget func()
	d.signer.Replace(next.policy, func() {
		d.limiter.Use(budgets)
		d.decisions = next
		forget = d.metrics.Use(series)
		d.ring.Replace(ring)
	})
	d.pool.SetProbes(ring.Probes())
	forget()
	return nil
}

// retryTokens makes the workers retry every token now, even one that refused
// the PIN: the operator may have fixed it. A PIN that was refused isn't tried
// again unless the operator asks for that.
func (d *Daemon) retryTokens(retryPIN bool) error {
	var problems []error
	for _, token := range d.tokens {
		problems = append(problems, d.pool.Reset(token.Name, token.PIN, retryPIN))
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
