package jwks

import (
	"errors"
	"fmt"
)

// The kinds of refusal, to match with errors.Is. The error's text names the key
// and the remedy.
var (
	ErrPrivateKey         = errors.New("private key material in place of a public key")
	ErrUnsupportedKey     = errors.New("unsupported key")
	ErrWeakKey            = errors.New("key too weak")
	ErrAlgorithm          = errors.New("algorithm does not fit the key")
	ErrKid                = errors.New("unusable kid")
	ErrDuplicateKid       = errors.New("kid used twice")
	ErrCertificateKey     = errors.New("certificate is for another key")
	ErrCertificateChain   = errors.New("certificates do not form a chain")
	ErrCertificateExpired = errors.New("certificate has expired")
	ErrCertificateFuture  = errors.New("certificate is not valid yet")
	ErrSetName            = errors.New("unusable key set name")
	ErrFormat             = errors.New("not a JWK set")
)

// KeyError says which key of a set was refused. Kid is empty if the key has
// none. Index counts from 0, in the order that the keys were passed.
type KeyError struct {
	Index int
	Kid   string
	Err   error
}

func (e *KeyError) Error() string {
	if e.Kid == "" {
		return fmt.Sprintf("key %d of the set: %v", e.Index+1, e.Err)
	}
	return fmt.Sprintf("key %d of the set (kid %q): %v", e.Index+1, e.Kid, e.Err)
}

func (e *KeyError) Unwrap() error { return e.Err }
