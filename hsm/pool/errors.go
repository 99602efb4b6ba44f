package pool

import (
	"errors"
	"fmt"

	"github.com/assertd/assertd/signer"
)

// The pool's own kinds of failure. What happened in a worker matches the
// sentinels of package hsm instead.
var (
	// ErrUnavailable: no worker that holds the key can sign now. The pool keeps
	// trying to start one; ask again later.
	ErrUnavailable = errors.New("hsm/pool: no worker is available")
	// ErrBusy: the workers are at capacity and the queue for them is full, or
	// didn't move in time.
	ErrBusy = fmt.Errorf("hsm/pool: %w", signer.ErrOverloaded)
	// ErrTimeout: the workers that were asked didn't answer within Config.Timeout
	// and were killed.
	ErrTimeout error = timeoutError{}
	// ErrCorrupt: two workers in a row made a signature that doesn't verify.
	// Neither signature left the pool.
	ErrCorrupt = errors.New("hsm/pool: the token's signatures don't verify")
	// ErrStopped: Run has returned, or is about to.
	ErrStopped = errors.New("hsm/pool: the pool has stopped")
	// ErrDied: a worker exited without saying why.
	ErrDied = errors.New("hsm/pool: the worker exited")
	// ErrPIN: no token takes its PIN, by WaitReady and WaitAll. Another start is
	// another attempt, and may lock the tokens.
	ErrPIN = errors.New("hsm/pool: every token refused its PIN")
	// ErrStart: a worker wasn't ready within Config.StartTimeout.
	ErrStart = errors.New("hsm/pool: the worker didn't start in time")
)

// timeoutError also stands for tokens that hang while they list or generate
// keys, so its text is not signer.ErrTimeout's, which is about signatures.
type timeoutError struct{}

func (timeoutError) Error() string { return "hsm/pool: the token didn't answer in time" }

func (timeoutError) Unwrap() error { return signer.ErrTimeout }

// pinError is ErrPIN with the reason of each token.
type pinError struct{ error }

func (pinError) Is(target error) bool { return target == ErrPIN }

func (e pinError) Unwrap() error { return e.error }

// OnlyToken returns an error of hsm.Open as WaitReady would, where there is no
// other token.
func OnlyToken(err error) error {
	if refusedPIN(err) {
		return pinError{err}
	}
	return err
}

// An UnavailableError is ErrUnavailable with the reason, if one is known.
type UnavailableError struct{ Cause error }

// Error names the reason too.
func (e *UnavailableError) Error() string {
	if e.Cause == nil {
		return ErrUnavailable.Error()
	}
	return ErrUnavailable.Error() + ": " + e.Cause.Error()
}

// Unwrap returns ErrUnavailable and the reason.
func (e *UnavailableError) Unwrap() []error {
	if e.Cause == nil {
		return []error{ErrUnavailable}
	}
	return []error{ErrUnavailable, e.Cause}
}
