package hsm

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"

	"github.com/assertd/assertd/internal/jose"
)

// Prove signs a random value and verifies the signature with the public half.
// Nothing else proves that the token can sign, and that the two halves belong
// together. A signature that doesn't verify is ErrSignature; other errors are
// SignContext's.
func (k *Key) Prove(ctx context.Context) error {
	return k.prove(func(digest []byte, opts crypto.SignerOpts) ([]byte, error) {
		return k.SignContext(ctx, digest, opts)
	})
}

func (k *Key) prove(sign func(digest []byte, opts crypto.SignerOpts) ([]byte, error)) error {
	message := make([]byte, 32)
	_, _ = rand.Read(message) // never fails (crypto/rand)
	digest, opts := message, crypto.SignerOpts(crypto.Hash(0))
	if k.Type() != Ed25519 {
		sum := sha256.Sum256(message)
		digest, opts = sum[:], crypto.SHA256
	}
	signature, err := sign(digest, opts)
	if err != nil {
		return err
	}
	if jose.Verify(k.public, digest, opts, signature) != nil {
		return fail(ErrSignature, nil, "the signature of key %s doesn't verify with its public half", k)
	}
	return nil
}
