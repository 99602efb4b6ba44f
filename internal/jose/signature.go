package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"

	"filippo.io/mldsa"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// ErrSignature is a signature that doesn't verify with the public key, or that
// isn't one of its algorithm.
var ErrSignature = errors.New("the signature does not verify with the public key")

// Verify checks a signature as crypto.Signer makes it, asked for with these
// options: ECDSA in ASN.1 DER, Ed25519 and ML-DSA over the message itself,
// RSA-PSS with a salt as long as the hash. Nil options are crypto.Hash(0). A
// key that assertd doesn't use never verifies. The error is ErrSignature.
func Verify(public crypto.PublicKey, digest []byte, opts crypto.SignerOpts, signature []byte) error {
	if opts == nil {
		opts = crypto.Hash(0)
	}
	if !verifies(public, digest, opts, signature) {
		return ErrSignature
	}
	return nil
}

func verifies(public crypto.PublicKey, digest []byte, opts crypto.SignerOpts, signature []byte) bool {
	if KindOf(public) == (Kind{}) { // also keeps ed25519.Verify from its panic
		return false
	}
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, digest, signature)
	case ed25519.PublicKey:
		return opts.HashFunc() == 0 && ed25519.Verify(key, digest, signature)
	case *mldsa.PublicKey:
		return opts.HashFunc() == 0 && mldsa.Verify(key, digest, signature, nil) == nil
	case *rsa.PublicKey:
		return verifiesRSA(key, digest, opts, signature)
	}
	return false
}

func verifiesRSA(key *rsa.PublicKey, digest []byte, opts crypto.SignerOpts, signature []byte) bool {
	hash := opts.HashFunc()
	if !KnownHash(hash) {
		return false
	}
	if _, ok := opts.(*rsa.PSSOptions); ok {
		return rsa.VerifyPSS(key, hash, digest, signature, PSS(hash)) == nil
	}
	return rsa.VerifyPKCS1v15(key, hash, digest, signature) == nil
}

// Signature brings a crypto.Signer's signature into the form of a JWS: for
// ECDSA the two halves at fixed width, left-padded (RFC 7518 section 3.4).
func (a Algorithm) Signature(signature []byte) ([]byte, error) {
	if a.half == 0 {
		return signature, nil
	}
	r, s, ok := halves(signature)
	if !ok {
		return nil, fmt.Errorf("%w: not an ECDSA signature in DER", ErrSignature)
	}
	if !fits(r, a.half) || !fits(s, a.half) {
		return nil, fmt.Errorf("%w: a half is out of range", ErrSignature)
	}
	out := make([]byte, 2*a.half)
	r.FillBytes(out[:a.half])
	s.FillBytes(out[a.half:])
	return out, nil
}

// halves splits an ECDSA signature in DER (RFC 3279 section 2.2.3), as
// strictly as crypto/ecdsa does.
func halves(signature []byte) (r, s *big.Int, ok bool) {
	r, s = new(big.Int), new(big.Int)
	var inner cryptobyte.String
	outer := cryptobyte.String(signature)
	ok = outer.ReadASN1(&inner, asn1.SEQUENCE) && outer.Empty() &&
		inner.ReadASN1Integer(r) && inner.ReadASN1Integer(s) && inner.Empty()
	return r, s, ok
}

func fits(half *big.Int, size int) bool { return half.Sign() > 0 && half.BitLen() <= 8*size }
