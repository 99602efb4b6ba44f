package pool

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/assertd/assertd/hsm"
)

// announce wakes WaitReady, WaitAll and the reader of Changed. The pool is
// locked.
func (p *Pool) announce() {
	close(p.notice)
	p.notice = make(chan struct{})
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// Changed receives an element after the inventory or the state of a worker has
// changed, one for any number of changes. It is for one reader.
func (p *Pool) Changed() <-chan struct{} { return p.changed }

// WaitReady returns nil once a worker of any token can sign. It fails once the
// first start has failed on every token, with the error of each
// (hsm.ErrPINIncorrect, hsm.ErrModule, hsm.ErrTokenNotFound, ErrStart, …), as
// ErrPIN if each is about its PIN, and when ctx ends. Either way Run keeps
// trying, except where a PIN was refused.
func (p *Pool) WaitReady(ctx context.Context) error {
	return p.wait(ctx, "the first worker", p.anyReady)
}

// WaitAll returns nil once every token has been read, so that Inventory is
// complete. It fails once the first start has failed on each token that hasn't
// been read, like WaitReady, and when ctx ends. A token that hangs
// delays it for as long as a start may take.
func (p *Pool) WaitAll(ctx context.Context) error {
	return p.wait(ctx, "every token", p.allRead)
}

// Refused reports whether every token refused its PIN, so that nothing can be
// signed before somebody acts. A token that is locked may unlock with time.
func (p *Pool) Refused() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !slices.ContainsFunc(p.tokens, func(t *token) bool {
		return len(t.ready) > 0 || !refusedPIN(t.lastErr) || errors.Is(t.lastErr, hsm.ErrPINLocked)
	})
}

// wait polls at each change until the condition holds or fails.
func (p *Pool) wait(ctx context.Context, what string, condition func() (bool, error)) error {
	for {
		p.mu.Lock()
		holds, err := condition()
		if p.stopped {
			holds, err = false, ErrStopped
		}
		notice := p.notice
		p.mu.Unlock()
		if holds || err != nil {
			return err
		}
		select {
		case <-notice:
		case <-ctx.Done():
			return fmt.Errorf("hsm/pool: wait for %s: %w", what, context.Cause(ctx))
		}
	}
}

// anyReady is WaitReady's condition. The pool is locked.
func (p *Pool) anyReady() (bool, error) {
	var failed []error
	for _, t := range p.tokens {
		if len(t.ready) > 0 {
			return true, nil
		}
		if t.failures > 0 {
			failed = append(failed, t.failure())
		}
	}
	if len(failed) == len(p.tokens) {
		return false, p.failure(failed)
	}
	return false, nil
}

// allRead is WaitAll's condition. The pool is locked.
func (p *Pool) allRead() (bool, error) {
	var failed []error
	for _, t := range p.tokens {
		switch {
		case t.read:
		case t.failures == 0:
			return false, nil
		default:
			failed = append(failed, t.failure())
		}
	}
	return len(failed) == 0, p.failure(failed)
}

// failure joins the failures of tokens. The pool is locked.
func (p *Pool) failure(failed []error) error {
	err := errors.Join(failed...)
	if err != nil && !slices.ContainsFunc(p.tokens, func(t *token) bool { return len(t.ready) > 0 || !refusedPIN(t.lastErr) }) {
		return pinError{err}
	}
	return err
}
