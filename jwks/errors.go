package jwks

import (
	"errors"
	"fmt"
)

// The kinds of refusal. Match them with errors.Is; the error's text says which
// key and what to do.
var (
	ErrPrivateKey         = errors.New("private key material where only a public key may be")
	ErrUnsupportedKey     = errors.New("unsupported key")
	ErrWeakKey            = errors.New("key too weak")
	ErrAlgorithm          = errors.New("algorithm does not fit the key")
	ErrKid                = errors.New("unusable kid")
	ErrDuplicateKid       = errors.New("kid used twice")
	ErrCertificateKey     = errors.New("certificate is for another key")
	ErrCertificateChain   = errors.New("certificates do not form a chain")
	ErrCertificateExpired = errors.New("certificate is expired")
	ErrCertificateFuture  = errors.New("certificate is not valid yet")
	ErrSetName            = errors.New("unusable key set name")
	ErrFormat             = errors.New("not a JWK set")
)

// KeyError says which key of a set was refused. Kid is empty where the key has
// none; Index counts from 0 in the order in which the keys were given.
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
