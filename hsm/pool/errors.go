package pool

import (
	"errors"

	"github.com/assertd/assertd/hsm"
)

// The pool's own kinds of failure. What happened in a worker matches the sentinels of package hsm instead.
var (
	// ErrUnavailable: no worker that holds the key can sign now. The pool goes on trying to have one; ask again later.
	ErrUnavailable = errors.New("hsm/pool: no worker can serve this now")
	// ErrBusy: the workers have all they can do and the queue before them is full, or didn't move in time.
	ErrBusy = errors.New("hsm/pool: too many signatures are waiting")
	// ErrTimeout: the workers that were asked didn't answer in Config.Timeout and were killed.
	ErrTimeout = errors.New("hsm/pool: the token didn't answer in time")
	// ErrCorrupt: two workers in a row made a signature that doesn't verify. Neither left the pool.
	ErrCorrupt = errors.New("hsm/pool: the token's signatures don't verify")
	// ErrStopped: the pool's Run ended.
	ErrStopped = errors.New("hsm/pool: the pool has stopped")
	// ErrDied: a worker ended without saying why.
	ErrDied = errors.New("hsm/pool: the worker ended")
	// ErrStart: a worker didn't become ready in Config.StartTimeout.
	ErrStart = errors.New("hsm/pool: the worker didn't start in time")
)

// An UnavailableError is ErrUnavailable with what keeps the tokens away.
type UnavailableError struct{ Cause error }

// Error says what to look at.
func (e *UnavailableError) Error() string {
	if e.Cause == nil {
		return ErrUnavailable.Error()
	}
	return ErrUnavailable.Error() + ": " + e.Cause.Error()
}

// Unwrap gives ErrUnavailable and the cause.
func (e *UnavailableError) Unwrap() []error {
	if e.Cause == nil {
		return []error{ErrUnavailable}
	}
	return []error{ErrUnavailable, e.Cause}
}

// refusedPIN says whether the token was asked with a PIN that it didn't take. Another attempt could lock it.
func refusedPIN(err error) bool {
	return errors.Is(err, hsm.ErrPINIncorrect) || errors.Is(err, hsm.ErrPINLocked)
}
