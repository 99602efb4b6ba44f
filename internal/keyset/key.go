package keyset

import (
	"errors"

	"github.com/assertd/assertd/jwks"
)

// ErrNoKey means that no version of a key set signs now.
var ErrNoKey = errors.New("no key version signs now")

// Key is one version of a key set, pinned for one signature: the key that the
// header names is the key that signs and the key that verifies.
type Key struct {
	jwks.Key
	Set string   // name of the key set
	Ref [32]byte // SHA-256 of the SubjectPublicKeyInfo, by which the HSM finds the pair
}
