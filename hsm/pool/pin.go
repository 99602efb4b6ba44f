package pool

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/wire"
	"github.com/assertd/assertd/ipc"
)

const (
	// maxRefused bounds the memory of refused PINs: a source that changes that
	// often is a source that is read while somebody edits it.
	maxRefused = 16
	// lockedPauses bounds the time between two looks at a locked token, as a
	// multiple of Config.LockedPause.
	lockedPauses = 16
)

// pinMemory is what the pool knows about a token's PIN. The pool's lock guards
// it.
type pinMemory struct {
	state hsm.PINState // as a worker last read it; empty before
	err   error        // why the PIN isn't tried; nil if it may be
	since time.Time    // when state or err last changed
	// refused has the PINs that the token refused since the last login, the oldest
	// first. Every reload would be one more attempt without it.
	refused []hsm.PINDigest
	retry   bool      // a person asked for one attempt whatever refused says
	locked  int       // starts in a row that met a token that is locked or about to be
	retryAt time.Time // when the PIN is tried again; zero for never
}

// mayTry returns why the PIN must not be tried now.
func (m *pinMemory) mayTry(now time.Time) error {
	if m.err == nil || !m.retryAt.IsZero() && !now.Before(m.retryAt) {
		return nil
	}
	return m.err
}

// held reports whether the PIN isn't tried.
func (m *pinMemory) held() bool { return m.err != nil }

// hold notes a failure after which the PIN isn't tried. One that was refused is
// never tried again by itself. One that met a locked token is, after a pause
// that doubles each time: a TPM's lockout ends with time. So is one that met a
// token at its final try, because another program's login ends that.
func (m *pinMemory) hold(err error, pause time.Duration) {
	m.err, m.since, m.retryAt = err, time.Now(), time.Time{}
	if errors.Is(err, hsm.ErrPINIncorrect) {
		m.locked = 0
		return
	}
	m.retryAt = m.since.Add(pause * time.Duration(min(1<<min(m.locked, 30), lockedPauses)))
	m.locked++
}

// release lets the PIN be tried.
func (m *pinMemory) release() { m.err, m.locked, m.retryAt = nil, 0, time.Time{} }

// accepted forgets what was refused: a login ends the token's count too.
func (m *pinMemory) accepted() {
	m.release()
	m.refused, m.retry = nil, false
}

// remember keeps the digest of a PIN that was refused.
func (m *pinMemory) remember(refused hsm.PINDigest) {
	m.refused = append(slices.DeleteFunc(m.refused, func(d hsm.PINDigest) bool { return d == refused }), refused)
	m.refused = m.refused[max(0, len(m.refused)-maxRefused):]
}

// settings are what the token's next worker gets. A request to retry the PIN is
// good for one attempt.
func (p *Pool) settings(t *token) (TokenConfig, wire.Hello) {
	p.mu.Lock()
	defer p.mu.Unlock()
	hello := wire.Hello{
		HSM: t.config.HSM, PIN: t.config.PIN, Depth: p.cfg.depth(t.config),
		DigestKey: p.digestKey, Refused: slices.Clone(t.pin.refused),
	}
	hello.HSM.RetryPIN, t.pin.retry = t.pin.retry, false
	return t.config, hello
}

// untried are the failures before the PIN could be tried.
var untried = []error{hsm.ErrTokenNotFound, hsm.ErrPINNotInitialized, hsm.ErrPINSource, hsm.ErrModule}

// attempted notes how a worker's login ended that had these settings and
// failed.
func (p *Pool) attempted(t *token, hello wire.Hello, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if refused := (*hsm.RefusedPIN)(nil); errors.As(err, &refused) {
		t.pin.remember(refused.Digest)
	}
	if hello.HSM.RetryPIN && slices.ContainsFunc(untried, func(kind error) bool { return errors.Is(err, kind) }) {
		t.pin.retry = true
	}
}

// noteState notes what a worker read about the PIN, and reports wrong PINs that
// somebody entered. The pool is locked.
func (p *Pool) noteState(t *token, state hsm.PINState) {
	if t.pin.state == state {
		return
	}
	t.pin.state, t.pin.since = state, time.Now()
	if state != hsm.PINOK {
		p.event(EventPIN, t.slots[0], 0, fmt.Errorf("the token reports wrong PINs since the last login (%s)", state))
	}
}

// loggedIn notes a login, and what the token said about the PIN before it: a
// login ends that. The pool is locked.
func (p *Pool) loggedIn(t *token, before hsm.PINState) {
	t.pin.accepted()
	p.noteState(t, before)
	p.noteState(t, hsm.PINOK)
}

// refusedPIN reports whether the PIN isn't tried again by itself or not soon:
// another attempt could lock the token, or it is locked.
func refusedPIN(err error) bool {
	return errors.Is(err, hsm.ErrPINIncorrect) || errors.Is(err, hsm.ErrPINFinalTry) || errors.Is(err, hsm.ErrPINLocked)
}

// Reset lets the pool try a token again whose PIN isn't tried any more, and at
// once if it is waiting for its next attempt. The PIN source may be a new one.
// A worker reads the PIN then, and tries it only if the token hasn't refused it
// before. With retry it is tried once in any case, even if the token reports
// that one more wrong PIN locks it.
//
// A PIN that was passed as a value and refused doesn't change when somebody
// reloads: with that same value, and without retry, Reset changes nothing and
// returns hsm.ErrPINIncorrect.
func (p *Pool) Reset(name string, pin hsm.PINSource, retry bool) error {
	if err := checkPIN(pin); err != nil {
		return fmt.Errorf("hsm/pool: token %q: %w", name, err)
	}
	p.mu.Lock()
	defer p.unlock()
	t := p.tokenNamed(name)
	if t == nil {
		return fmt.Errorf("hsm/pool: %w: no token is named %q", hsm.ErrTokenNotFound, name)
	}
	if t.pin.held() && !retry && pin.Value != nil && pin.Value == t.config.PIN.Value && !errors.Is(t.pin.err, hsm.ErrPINLocked) {
		return fmt.Errorf("hsm/pool: token %q: %w, and the same PIN isn't tried again; "+
			"restart the daemon and type the correct one", name, hsm.ErrPINIncorrect)
	}
	t.pin.retry = retry && (t.pin.held() || t.failures > 0) // not for a start in days
	t.config.PIN, t.failures = pin, 0
	t.pin.release()
	close(t.reset)
	t.reset = make(chan struct{})
	p.announce()
	return nil
}

// pinStatus is the state of the token's PIN for operators. The pool is locked.
func (t *token) pinStatus() ipc.PINStatus {
	status := ipc.PINStatus{State: ipc.PINUnknown, Since: t.pin.since, RetryAt: t.pin.retryAt}
	switch err := t.pin.err; {
	case errors.Is(err, hsm.ErrPINLocked):
		status.State = ipc.PINLocked
	case errors.Is(err, hsm.ErrPINFinalTry):
		status.State = ipc.PINFinalTry
	case err != nil:
		status.State = ipc.PINRefused
	case t.pin.state != "":
		status.State = string(t.pin.state)
	}
	status.Remedy = t.remedy(status.State)
	return status
}

// remedy says what operators must do about the state of the PIN. The pool is
// locked.
func (t *token) remedy(state string) string {
	again := "then reload (SIGHUP); assertctl reload --retry-pin tries the same PIN once more"
	if t.config.PIN.Value != nil {
		again = "then restart the daemon and type it again"
	}
	switch state {
	case ipc.PINRefused:
		if t.config.PIN.Pad {
			return "reload (SIGHUP), then enter the correct PIN on the token's pad"
		}
		return "correct the PIN where it is stored, " + again
	case ipc.PINFinalTry:
		if len(t.ready) > 0 {
			return "find out who enters wrong PINs; the token locks at the next one"
		}
		return "check that the PIN is right, then run assertctl reload --retry-pin, which tries it once"
	case ipc.PINLocked:
		return "have the token's security officer unlock the PIN; a TPM unlocks itself after some time"
	case ipc.PINCountLow:
		return "find out who enters wrong PINs, before the token locks"
	}
	return ""
}

// Tokens lists the tokens with the state of their PINs and workers, in the
// order of the configuration.
func (p *Pool) Tokens() []ipc.TokenStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]ipc.TokenStatus, len(p.tokens))
	for i, t := range p.tokens {
		all[i] = ipc.TokenStatus{Name: t.config.Name, PIN: t.pinStatus()}
		for _, s := range t.slots {
			all[i].Workers = append(all[i].Workers, s.now())
		}
	}
	return all
}
