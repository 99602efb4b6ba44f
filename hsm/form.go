package hsm

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"math/big"
	"slices"

	"filippo.io/mldsa"
	"github.com/miekg/pkcs11"
	"golang.org/x/crypto/cryptobyte"
	cryptobyteasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// form is how to ask the token for one signature, and how to convert the result
// into what crypto.Signer promises.
//
// The mechanisms take a digest, because that is what a crypto.Signer gets.
// combine is for modules that have only those that take the message.
type form struct {
	mechanism *pkcs11.Mechanism
	input     []byte
	size      int  // of what the token returns, in bytes
	halves    bool // the token returns r and s, and crypto.Signer promises their DER
}

// formFor refuses with ErrAlgorithm what isn't a JWS algorithm (RFC 7518
// section 3.1, RFC 8037 and RFC 9964).
func formFor(public crypto.PublicKey, digest []byte, opts crypto.SignerOpts) (form, error) {
	if opts == nil {
		return form{}, fail(ErrAlgorithm, nil, "no options; pass the hash, or crypto.Hash(0) with Ed25519 and ML-DSA")
	}
	switch key := public.(type) {
	case ed25519.PublicKey:
		return formEd25519(digest, opts)
	case *mldsa.PublicKey:
		return formMLDSA(key, digest, opts)
	}
	h, ok := hashes[opts.HashFunc()]
	if !ok || len(digest) != opts.HashFunc().Size() {
		return form{}, fail(ErrAlgorithm, nil, "%d bytes as a digest of %v; pass one of SHA-256, SHA-384 or SHA-512",
			len(digest), opts.HashFunc())
	}
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		return formECDSA(key.Curve, digest), nil
	case *rsa.PublicKey:
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			return formPSS(key, h, digest, pss)
		}
		return form{mechanism: mechanismRSA, input: slices.Concat(h.prefix, digest), size: key.Size()}, nil
	}
	return form{}, fail(ErrAlgorithm, nil, "keys of type %T aren't supported", public)
}

var (
	mechanismECDSA = pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil)
	mechanismRSA   = pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS, nil)
	mechanismEdDSA = pkcs11.NewMechanism(ckmEdDSA, nil)
	mechanismMLDSA = pkcs11.NewMechanism(ckmMLDSA, nil) // hedged if the token can, without a context
)

// hash is a hash's PKCS#11 constants and the DER of a DigestInfo up to the
// digest (RFC 8017 section 9.2, note 1).
type hash struct {
	mechanism, mgf uint
	prefix         []byte
}

var hashes = map[crypto.Hash]hash{
	crypto.SHA256: {pkcs11.CKM_SHA256, pkcs11.CKG_MGF1_SHA256, digestInfo(1, 32)},
	crypto.SHA384: {pkcs11.CKM_SHA384, pkcs11.CKG_MGF1_SHA384, digestInfo(2, 48)},
	crypto.SHA512: {pkcs11.CKM_SHA512, pkcs11.CKG_MGF1_SHA512, digestInfo(3, 64)},
}

func digestInfo(hash, size byte) []byte {
	return []byte{0x30, 17 + size, 0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, hash, 5, 0, 4, size}
}

func formEd25519(message []byte, opts crypto.SignerOpts) (form, error) {
	if options, ok := opts.(*ed25519.Options); opts.HashFunc() != 0 || ok && options.Context != "" {
		return form{}, fail(ErrAlgorithm, nil, "Ed25519 signs the message itself; pass it with crypto.Hash(0)")
	}
	return form{mechanism: mechanismEdDSA, input: message, size: ed25519.SignatureSize}, nil
}

func formMLDSA(key *mldsa.PublicKey, message []byte, opts crypto.SignerOpts) (form, error) {
	if options, ok := opts.(*mldsa.Options); opts.HashFunc() != 0 || ok && options.Context != "" {
		return form{}, fail(ErrAlgorithm, nil, "ML-DSA signs the message itself; pass it with crypto.Hash(0)")
	}
	return form{mechanism: mechanismMLDSA, input: message, size: key.Parameters().SignatureSize()}, nil
}

// formPSS accepts only the salt length that RFC 7518 section 3.5 requires:
// verifiers refuse others.
func formPSS(key *rsa.PublicKey, h hash, digest []byte, opts *rsa.PSSOptions) (form, error) {
	if opts.SaltLength != rsa.PSSSaltLengthEqualsHash && opts.SaltLength != len(digest) {
		return form{}, fail(ErrAlgorithm, nil, "a PSS salt length of %d; use rsa.PSSSaltLengthEqualsHash (RFC 7518 section 3.5)",
			opts.SaltLength)
	}
	params := pkcs11.NewPSSParams(h.mechanism, h.mgf, uint(len(digest)))
	return form{mechanism: pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_PSS, params), input: digest, size: key.Size()}, nil
}

// formECDSA truncates a digest that is longer than the curve's order (FIPS
// 186-5 section 6.4.1), which not all modules do.
func formECDSA(curve elliptic.Curve, digest []byte) form {
	size := coordinate(curve)
	return form{mechanism: mechanismECDSA, input: digest[:min(len(digest), size)], size: 2 * size, halves: true}
}

// encode checks the length of what the token returned, and converts it.
func (f form) encode(raw []byte) ([]byte, error) {
	if len(raw) != f.size {
		return nil, fail(ErrSignature, nil, "the token returned a signature of %d bytes, want %d", len(raw), f.size)
	}
	if !f.halves {
		return raw, nil
	}
	var b cryptobyte.Builder
	b.AddASN1(cryptobyteasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(new(big.Int).SetBytes(raw[:f.size/2]))
		b.AddASN1BigInt(new(big.Int).SetBytes(raw[f.size/2:]))
	})
	return b.Bytes()
}
