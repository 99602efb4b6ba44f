package worker

import (
	"errors"
	"fmt"
	"slices"

	"github.com/assertd/assertd/hsm"
)

// The pool's own kinds of failure. What happened in a worker matches the sentinels of package hsm instead.
var (
	// ErrUnavailable: no worker that holds the key can sign now. The pool goes on trying to have one; ask again later.
	ErrUnavailable = errors.New("hsm/worker: no worker can serve this now")
	// ErrBusy: the workers have all they can do and the queue before them is full, or didn't move in time.
	ErrBusy = errors.New("hsm/worker: too many signatures are waiting")
	// ErrTimeout: the workers that were asked didn't answer in Config.Timeout and were killed.
	ErrTimeout = errors.New("hsm/worker: the token didn't answer in time")
	// ErrCorrupt: two workers in a row made a signature that doesn't verify. Neither left the pool.
	ErrCorrupt = errors.New("hsm/worker: the token's signatures don't verify")
	// ErrStopped: the pool's Run ended.
	ErrStopped = errors.New("hsm/worker: the pool has stopped")
	// ErrDied: a worker ended without saying why.
	ErrDied = errors.New("hsm/worker: the worker ended")
	// ErrStart: a worker didn't become ready in Config.StartTimeout.
	ErrStart = errors.New("hsm/worker: the worker didn't start in time")
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

// errorCode is a sentinel on the wire. The numbers are the protocol's: new ones go to the end.
type errorCode uint8

// sentinels is the one table of both sides, indexed by errorCode. 0 is everything that has no sentinel. Where an error matches several, the first
// row wins, so the specific stand before the general.
var sentinels = []error{
	0:  nil,
	1:  hsm.ErrPINIncorrect,
	2:  hsm.ErrPINLocked,
	3:  hsm.ErrPINSource,
	4:  hsm.ErrPINNotInitialized,
	5:  hsm.ErrTokenGone,
	6:  hsm.ErrTokenNotFound,
	7:  hsm.ErrKeyNotFound,
	8:  hsm.ErrKeyExists,
	9:  hsm.ErrAmbiguous,
	10: hsm.ErrCustody,
	11: hsm.ErrUnusable,
	12: hsm.ErrAlgorithm,
	13: hsm.ErrSignature,
	14: hsm.ErrModule,
	15: hsm.ErrClosed,
	16: errFrame,
}

func codeOf(err error) errorCode {
	i := slices.IndexFunc(sentinels, func(s error) bool { return s != nil && errors.Is(err, s) })
	return errorCode(max(i, 0))
}

func (c errorCode) sentinel() error {
	if int(c) < len(sentinels) {
		return sentinels[c]
	}
	return nil
}

// remoteError is an error that happened in a worker.
type remoteError struct {
	text   string
	kind   error
	detail *hsm.Error
}

func (e *remoteError) Error() string { return e.text }

func (e *remoteError) Unwrap() []error {
	var all []error
	if e.kind != nil {
		all = append(all, e.kind)
	}
	if e.detail != nil {
		all = append(all, e.detail)
	}
	return all
}

// refusedPIN says whether the token was asked with a PIN that it didn't take. Another attempt could lock it.
func refusedPIN(err error) bool {
	return errors.Is(err, hsm.ErrPINIncorrect) || errors.Is(err, hsm.ErrPINLocked)
}

func protocolError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errFrame, fmt.Sprintf(format, args...))
}
