package hsm

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
)

// Prove signs a random value and verifies the signature with the public half. It is the only proof that the token can
// sign, and that the two halves belong together. A signature that doesn't verify is ErrSignature; other errors are
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
	if !verify(k.public, digest, signature) {
		return fail(ErrSignature, nil, "the signature of key %s doesn't verify with its public half", k)
	}
	return nil
}

func verify(public crypto.PublicKey, digest, signature []byte) bool {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, digest, signature)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest, signature) == nil
	case ed25519.PublicKey:
		return ed25519.Verify(key, digest, signature)
	}
	return false
}
