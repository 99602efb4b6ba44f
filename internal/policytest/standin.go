package policytest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"math/big"
	"time"

	"filippo.io/mldsa"

	"github.com/assertd/assertd/internal/jose"
)

// standInKey returns a public key that fits an algorithm. Parts of an assertion
// are derived from the key; nothing is ever signed or verified with this one.
func standInKey(alg string, seed byte) (crypto.PublicKey, error) {
	a, err := jose.Lookup(alg)
	if err != nil {
		return nil, err
	}
	switch a.Kind {
	case jose.Ed25519:
		secret := make([]byte, ed25519.SeedSize)
		secret[0] = seed
		return ed25519.NewKeyFromSeed(secret).Public(), nil
	case jose.RSA:
		n := new(big.Int).Lsh(big.NewInt(1), 2047)
		return &rsa.PublicKey{N: n.Add(n, big.NewInt(int64(seed))), E: 65537}, nil
	}
	if parameters, ok := a.Kind.Parameters(); ok {
		secret := make([]byte, mldsa.PrivateKeySize)
		secret[0] = seed
		key, err := mldsa.NewPrivateKey(parameters, secret)
		if err != nil {
			return nil, err
		}
		return key.Public(), nil
	}
	if curve := a.Kind.Curve(); curve != nil {
		return standInPoint(curve, seed)
	}
	return nil, fmt.Errorf("no stand-in key for algorithm %s", alg)
}

// standInPoint returns the curve's base point multiplied by the seed.
func standInPoint(curve elliptic.Curve, seed byte) (crypto.PublicKey, error) {
	scalar := make([]byte, (curve.Params().BitSize+7)/8)
	scalar[len(scalar)-1] = seed
	key, err := ecdsa.ParseRawPrivateKey(curve, scalar)
	if err != nil {
		return nil, err
	}
	return key.Public(), nil
}

// standInCertificates are for headers that are derived from the certificate.
func standInCertificates(public crypto.PublicKey, now time.Time, seed byte) []*x509.Certificate {
	return []*x509.Certificate{{
		Raw: []byte{seed}, PublicKey: public, NotBefore: now, NotAfter: now.Add(time.Hour),
	}}
}
