package hsm

import (
	"context"
	"crypto"
	"crypto/rand"

	"github.com/assertd/assertd/internal/jose"
)

// Prove signs a random value and verifies the signature with the public half.
// Nothing else proves that the token can sign, and that the two halves belong
// together. A signature that doesn't verify is ErrSignature; other errors are
// SignContext's. It uses the algorithm with the name (RFC 7518 section 3.1, RFC
// 8037), since a key may be restricted to one; "" means SHA-256 and, for RSA,
// PKCS #1 v1.5.
func (k *Key) Prove(ctx context.Context, alg string) error {
	return k.prove(alg, func(message []byte, opts crypto.SignerOpts) ([]byte, error) {
		return k.SignMessageContext(ctx, message, opts)
	})
}

// proveLocked is Prove for callers that hold admin.
func (k *Key) proveLocked(alg string) error {
	return k.prove(alg, func(message []byte, opts crypto.SignerOpts) ([]byte, error) {
		return k.signMessage(context.Background(), message, opts)
	})
}

func (k *Key) prove(alg string, sign func(message []byte, opts crypto.SignerOpts) ([]byte, error)) error {
	a := jose.Algorithm{Hash: crypto.SHA256, Options: crypto.SHA256}
	if jose.KindOf(k.public).SignsMessages() {
		a = jose.Algorithm{Options: crypto.Hash(0)}
	}
	if alg != "" {
		var err error
		if a, err = jose.Lookup(alg); err != nil {
			return fail(ErrAlgorithm, err, "key %s can't be proved", k)
		}
	}
	message := make([]byte, 32)
	_, _ = rand.Read(message) // never fails (crypto/rand)
	signature, err := sign(message, a.Options)
	if err != nil {
		return err
	}
	if jose.Verify(k.public, a.Digest(message), a.Options, signature) != nil {
		return fail(ErrSignature, nil, "the signature of key %s doesn't verify with its public half", k)
	}
	return nil
}
