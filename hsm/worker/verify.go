package worker

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"

	"github.com/assertd/assertd/hsm"
)

// Verify checks a signature that was asked for with these options, as crypto.Signer makes it: ECDSA in DER, Ed25519 over the message itself. The
// error is hsm.ErrSignature.
func Verify(public crypto.PublicKey, digest []byte, opts crypto.SignerOpts, signature []byte) error {
	if opts == nil {
		opts = crypto.Hash(0)
	}
	valid := false
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		valid = ecdsa.VerifyASN1(key, digest, signature)
	case ed25519.PublicKey:
		valid = len(key) == ed25519.PublicKeySize && ed25519.Verify(key, digest, signature)
	case *rsa.PublicKey:
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			exact := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
			valid = rsa.VerifyPSS(key, pss.HashFunc(), digest, signature, exact) == nil
		} else {
			valid = rsa.VerifyPKCS1v15(key, opts.HashFunc(), digest, signature) == nil
		}
	}
	if !valid {
		return fmt.Errorf("%w: it doesn't verify with the public key", hsm.ErrSignature)
	}
	return nil
}
