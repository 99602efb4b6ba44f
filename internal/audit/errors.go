package audit

import (
	"errors"
	"fmt"
)

var (
	// ErrUnavailable is what Append returns, in an *UnavailableError, if the
	// record may not be written as Options.Sync promises. Do not release the
	// decision then.
	ErrUnavailable = errors.New("audit log unavailable")
	// ErrRecord is for a record that can't be written at all: a reserved kind,
	// a claim that is not JSON, or more than MaxRecord bytes.
	ErrRecord = errors.New("invalid audit record")
	// ErrLocked is what Open returns if another process writes the same log.
	ErrLocked = errors.New("audit log in use")
	// ErrUnsafe is what Open returns if other users could change the file.
	ErrUnsafe = errors.New("unsafe audit file")
	// ErrDamaged is what Open returns if the file to continue from was changed
	// in the middle, and Append once Run has found that.
	ErrDamaged = errors.New("damaged audit file")
	// ErrTampered is what Verify returns, in a *BadLine, if lines are missing,
	// changed or out of order.
	ErrTampered = errors.New("audit log does not verify")
	// ErrIncomplete is what Verify returns if the files hold less than
	// VerifyOptions requires.
	ErrIncomplete = errors.New("audit log is incomplete")
	// ErrNoLog is what Verify returns for files without a line, which proves
	// nothing.
	ErrNoLog = errors.New("no audit log")
	// ErrUndamaged is what AcceptDamage returns for a log that needs no new file.
	ErrUndamaged = errors.New("the audit log is not damaged")
	// ErrNotFound is what Prove returns if no record has the jti.
	ErrNotFound = errors.New("no such record in the audit log")
	// ErrNotCovered is what Prove returns if the record comes after the newest
	// checkpoint.
	ErrNotCovered = errors.New("record not yet covered by a checkpoint")
	// ErrProof is what CheckProof returns for an invalid proof.
	ErrProof = errors.New("invalid proof of inclusion")
	// ErrKey is for a checkpoint key that is neither Ed25519 nor ECDSA P-256,
	// or whose text form is malformed.
	ErrKey = errors.New("unusable checkpoint key")
)

// DamagedError is what is wrong with a file that the log can't continue from.
// It unwraps to ErrDamaged.
type DamagedError struct {
	File   string
	Detail string

	first int64 // number of the first line of the damaged file; noSeq for that of File
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("%v: %s: %s; run \"assertd audit verify\" to see what is affected, "+
		"then \"assertd audit accept-damage\" to keep the file as evidence and start a new one", ErrDamaged, e.File, e.Detail)
}

// Unwrap returns ErrDamaged.
func (e *DamagedError) Unwrap() error { return ErrDamaged }

func damaged(file, format string, args ...any) error {
	return &DamagedError{File: file, Detail: fmt.Sprintf(format, args...), first: noSeq}
}

// UnavailableError is why a record could not be written. It unwraps to
// ErrUnavailable and to Cause.
type UnavailableError struct {
	Op    string // what failed: "append", "wait", "write", "sync" …
	Cause error
}

func (e *UnavailableError) Error() string {
	if e.Cause == nil {
		return fmt.Sprintf("%v: %s", ErrUnavailable, e.Op)
	}
	return fmt.Sprintf("%v: %s: %v", ErrUnavailable, e.Op, e.Cause)
}

// Unwrap returns ErrUnavailable and the cause.
func (e *UnavailableError) Unwrap() []error { return []error{ErrUnavailable, e.Cause} }
