package signer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes that the table names
	_ "crypto/sha512"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// algorithm is how a JOSE algorithm (RFC 7518 section 3, RFC 8037) is asked of
// a crypto.Signer and brought into JOSE form.
type algorithm struct {
	hash crypto.Hash // 0: the message itself is signed
	opts crypto.SignerOpts
	half int // length of each half of an ECDSA signature in bytes, 0 for others
}

// pss asks for a salt as long as the hash: RFC 7518 section 3.5 demands it, and
// strict verifiers refuse anything else.
func pss(h crypto.Hash) algorithm {
	return algorithm{hash: h, opts: &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: h}}
}

var algorithms = map[string]algorithm{
	"RS256": {hash: crypto.SHA256, opts: crypto.SHA256},
	"RS384": {hash: crypto.SHA384, opts: crypto.SHA384},
	"RS512": {hash: crypto.SHA512, opts: crypto.SHA512},
	"PS256": pss(crypto.SHA256),
	"PS384": pss(crypto.SHA384),
	"PS512": pss(crypto.SHA512),
	"ES256": {hash: crypto.SHA256, opts: crypto.SHA256, half: 32},
	"ES384": {hash: crypto.SHA384, opts: crypto.SHA384, half: 48},
	"ES512": {hash: crypto.SHA512, opts: crypto.SHA512, half: 66},
	"EdDSA": {opts: crypto.Hash(0)},
	// RFC 9864 names the same signature "Ed25519".
	"Ed25519": {opts: crypto.Hash(0)},
}

func algorithmOf(alg string) (algorithm, error) {
	a, ok := algorithms[alg]
	if !ok {
		return algorithm{}, fmt.Errorf("signer: unknown algorithm %q", alg)
	}
	return a, nil
}

// digest hashes the signing input, or passes it through where the algorithm
// signs the message itself.
func (a algorithm) digest(input []byte) []byte {
	if a.hash == 0 {
		return input
	}
	h := a.hash.New()
	h.Write(input)
	return h.Sum(nil)
}

// jose turns a crypto.Signer's signature into that of a JWS: for ECDSA the two
// halves at fixed width, left-padded (RFC 7518 section 3.4).
func (a algorithm) jose(signature []byte) ([]byte, error) {
	if a.half == 0 {
		return signature, nil
	}
	r, s, ok := halves(signature)
	if !ok {
		return nil, fmt.Errorf("%w: it is not an ECDSA signature in DER", ErrBadSignature)
	}
	if !fits(r, a.half) || !fits(s, a.half) {
		return nil, fmt.Errorf("%w: a half is out of range", ErrBadSignature)
	}
	out := make([]byte, 2*a.half)
	r.FillBytes(out[:a.half])
	s.FillBytes(out[a.half:])
	return out, nil
}

// halves takes an ECDSA signature in DER apart (RFC 3279, section 2.2.3), as strictly as crypto/ecdsa does.
func halves(signature []byte) (r, s *big.Int, ok bool) {
	r, s = new(big.Int), new(big.Int)
	var inner cryptobyte.String
	outer := cryptobyte.String(signature)
	ok = outer.ReadASN1(&inner, asn1.SEQUENCE) && outer.Empty() &&
		inner.ReadASN1Integer(r) && inner.ReadASN1Integer(s) && inner.Empty()
	return r, s, ok
}

func fits(half *big.Int, size int) bool { return half.Sign() > 0 && half.BitLen() <= 8*size }

// verify checks a crypto.Signer's signature over a digest with the public key.
func verify(public crypto.PublicKey, digest, signature []byte, opts crypto.SignerOpts) error {
	ok := false
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		ok = ecdsa.VerifyASN1(key, digest, signature)
	case ed25519.PublicKey:
		ok = ed25519.Verify(key, digest, signature)
	case *rsa.PublicKey:
		ok = verifyRSA(key, digest, signature, opts) == nil
	}
	if !ok {
		return ErrBadSignature
	}
	return nil
}

func verifyRSA(key *rsa.PublicKey, digest, signature []byte, opts crypto.SignerOpts) error {
	if pss, ok := opts.(*rsa.PSSOptions); ok {
		return rsa.VerifyPSS(key, pss.Hash, digest, signature, pss)
	}
	return rsa.VerifyPKCS1v15(key, opts.HashFunc(), digest, signature)
}
