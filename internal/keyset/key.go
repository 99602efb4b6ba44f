package keyset

import (
	"errors"
	"fmt"

	"github.com/assertd/assertd/jwks"
)

// ErrNoKey means that no version of a key set signs now.
var ErrNoKey = errors.New("no key version signs now")

// ErrUnread means the same, but a version may be on a token that has not been
// read yet.
var ErrUnread = errors.New("the keys of a token have not been read")

// A NoKeyError says why no version of a key set signs now. It is ErrNoKey or,
// with Unread, ErrUnread.
type NoKeyError struct {
	Set    string
	Unread bool
	Reason string // for operators, with the remedy
	Public string // for callers, without anything about the token; empty with Unread
}

// Error has the reason for operators.
func (e *NoKeyError) Error() string {
	return fmt.Sprintf("%s: key set %q: %s", ErrNoKey, e.Set, e.Reason)
}

// Unwrap returns ErrNoKey or ErrUnread.
func (e *NoKeyError) Unwrap() error {
	if e.Unread {
		return ErrUnread
	}
	return ErrNoKey
}

// Key is one version of a key set, pinned for one signature: the key that the
// header names is the key that signs and the key that verifies.
type Key struct {
	jwks.Key
	Set string   // name of the key set
	Ref [32]byte // SHA-256 of the SubjectPublicKeyInfo, by which the HSM finds the pair
}

// Proof names a signature that a key pair must be able to make.
type Proof struct {
	Ref [32]byte
	Alg string // a pair may be restricted to some algorithms
}

// Proof returns what the key must be able to do.
func (k Key) Proof() Proof { return Proof{k.Ref, k.Alg} }
