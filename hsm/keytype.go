package hsm

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
	"slices"

	"filippo.io/mldsa"

	"github.com/assertd/assertd/internal/jose"
)

// KeyType names the type and size of a key pair.
type KeyType string

// The types that can be generated. A key on the token may also be RSA of
// another size, such as "RSA-2560".
const (
	P256    KeyType = "P-256"
	P384    KeyType = "P-384"
	P521    KeyType = "P-521"
	RSA2048 KeyType = "RSA-2048"
	RSA3072 KeyType = "RSA-3072"
	RSA4096 KeyType = "RSA-4096"
	Ed25519 KeyType = "Ed25519"
	MLDSA44 KeyType = "ML-DSA-44"
	MLDSA65 KeyType = "ML-DSA-65"
	MLDSA87 KeyType = "ML-DSA-87"
)

// KeyTypes lists the types that can be generated.
func KeyTypes() []KeyType {
	return []KeyType{P256, P384, P521, RSA2048, RSA3072, RSA4096, Ed25519, MLDSA44, MLDSA65, MLDSA87}
}

// generatable reports whether Generate makes keys of the type.
func (t KeyType) generatable() bool { return slices.Contains(KeyTypes(), t) }

// bits is the size of an RSA type's modulus, 0 for the others.
func (t KeyType) bits() int {
	var bits int
	if _, err := fmt.Sscanf(string(t), "RSA-%d", &bits); err != nil {
		return 0
	}
	return bits
}

// curve is an ECDSA type's curve, nil for the others.
func (t KeyType) curve() elliptic.Curve { return jose.Kind{Kty: "EC", Crv: string(t)}.Curve() }

// parameterSet is an ML-DSA type's CKA_PARAMETER_SET, 0 for the others.
func (t KeyType) parameterSet() uint {
	for set, kind := range parameterSets {
		if kind.Crv == string(t) {
			return set
		}
	}
	return 0
}

// typeOf names the type of a public key; the zero KeyType if this package can't
// use it.
func typeOf(public crypto.PublicKey) KeyType {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		return KeyType(key.Curve.Params().Name)
	case *rsa.PublicKey:
		return KeyType(fmt.Sprintf("RSA-%d", key.N.BitLen()))
	case ed25519.PublicKey:
		return Ed25519
	case *mldsa.PublicKey:
		return KeyType(key.Parameters().String())
	}
	return ""
}
