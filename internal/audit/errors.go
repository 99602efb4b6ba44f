package audit

import (
	"errors"
	"fmt"
)

var (
	// ErrUnavailable is what Append returns, within an *UnavailableError, when the record is not known to be written as
	// the log's Sync promises. The decision it describes must then not be released.
	ErrUnavailable = errors.New("audit log unavailable")
	// ErrRecord is returned for a record that can't be written at all: a reserved kind, a claim that is not JSON, or
	// more than MaxRecord bytes.
	ErrRecord = errors.New("audit record refused")
	// ErrLocked is returned by Open when another process writes the same log.
	ErrLocked = errors.New("audit log in use")
	// ErrUnsafe is returned by Open when other users could change the file behind the daemon's back.
	ErrUnsafe = errors.New("audit file unsafe")
	// ErrDamaged is returned by Open when the file that it should go on with was changed in the middle.
	ErrDamaged = errors.New("audit file damaged")
	// ErrTampered is returned by Verify, within a *BadLine, when the lines are not whole and in order.
	ErrTampered = errors.New("audit log does not verify")
	// ErrNotFound is returned by Prove when no record of the log has the jti.
	ErrNotFound = errors.New("no such record in the audit log")
	// ErrNotCovered is returned by Prove when the record stands after the newest checkpoint.
	ErrNotCovered = errors.New("record not yet covered by a checkpoint")
	// ErrProof is returned by CheckProof for a proof that does not hold.
	ErrProof = errors.New("proof of inclusion does not hold")
	// ErrKey is returned for a checkpoint key that is neither Ed25519 nor ECDSA P-256, or whose text form is malformed.
	ErrKey = errors.New("checkpoint key not usable")
)

// UnavailableError says why a record could not be written. It unwraps to ErrUnavailable and to the cause.
type UnavailableError struct {
	Op    string // what was attempted: "write", "sync", "wait", "closed" …
	Cause error
}

func (e *UnavailableError) Error() string {
	if e.Cause == nil {
		return fmt.Sprintf("%v: %s", ErrUnavailable, e.Op)
	}
	return fmt.Sprintf("%v: %s: %v", ErrUnavailable, e.Op, e.Cause)
}

// Unwrap gives ErrUnavailable and the cause to errors.Is and errors.As.
func (e *UnavailableError) Unwrap() []error { return []error{ErrUnavailable, e.Cause} }
