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
)

// standInKey is a public key of the kind that an algorithm signs with. It
// gives the parts of an assertion that follow from a key something to follow
// from, and nothing is ever signed or verified with it.
func standInKey(alg string, seed byte) (crypto.PublicKey, error) {
	switch alg {
	case "ES256":
		return standInPoint(elliptic.P256(), seed)
	case "ES384":
		return standInPoint(elliptic.P384(), seed)
	case "ES512":
		return standInPoint(elliptic.P521(), seed)
	case "EdDSA", "Ed25519":
		key := make(ed25519.PublicKey, ed25519.PublicKeySize)
		key[0] = seed
		return key, nil
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
		n := new(big.Int).Lsh(big.NewInt(1), 2047)
		return &rsa.PublicKey{N: n.Add(n, big.NewInt(int64(seed))), E: 65537}, nil
	}
	return nil, fmt.Errorf("unknown algorithm %q", alg)
}

// standInPoint is the curve's base point, multiplied by the seed.
func standInPoint(curve elliptic.Curve, seed byte) (crypto.PublicKey, error) {
	scalar := make([]byte, (curve.Params().BitSize+7)/8)
	scalar[len(scalar)-1] = seed
	key, err := ecdsa.ParseRawPrivateKey(curve, scalar)
	if err != nil {
		return nil, err
	}
	return key.Public(), nil
}

// standInCertificates are for headers that speak of the key's certificate.
func standInCertificates(public crypto.PublicKey, now time.Time, seed byte) []*x509.Certificate {
	return []*x509.Certificate{{
		Raw: []byte{seed}, PublicKey: public, NotBefore: now, NotAfter: now.Add(time.Hour),
	}}
}
