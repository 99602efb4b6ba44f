package pool

import (
	"crypto"
	"fmt"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/jose"
)

// verify is jose.Verify with the error hsm.ErrSignature, which tells the pool
// that the worker is at fault.
func verify(public crypto.PublicKey, digest []byte, opts crypto.SignerOpts, signature []byte) error {
	if err := jose.Verify(public, digest, opts, signature); err != nil {
		return fmt.Errorf("%w: %w", hsm.ErrSignature, err)
	}
	return nil
}
