package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
)

// Kind is the kind of a key: the kty of its JWK and, except for RSA, its crv
// (RFC 7518 section 6, RFC 8037 section 2).
type Kind struct{ Kty, Crv string }

// The kinds of keys that assertd uses.
var (
	P256    = Kind{"EC", "P-256"}
	P384    = Kind{"EC", "P-384"}
	P521    = Kind{"EC", "P-521"}
	RSA     = Kind{Kty: "RSA"}
	Ed25519 = Kind{"OKP", "Ed25519"}
)

// KindOf gives the kind of a public key, the zero Kind for one that assertd
// doesn't use.
func KindOf(public crypto.PublicKey) Kind {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		if key != nil {
			return kindOfCurve(key.Curve)
		}
	case *rsa.PublicKey:
		if key != nil {
			return RSA
		}
	case ed25519.PublicKey:
		if len(key) == ed25519.PublicKeySize {
			return Ed25519
		}
	}
	return Kind{}
}

func kindOfCurve(curve elliptic.Curve) Kind {
	for _, kind := range []Kind{P256, P384, P521} {
		if curve == kind.Curve() {
			return kind
		}
	}
	return Kind{}
}

// Curve is the curve of an EC kind, nil for the others.
func (k Kind) Curve() elliptic.Curve {
	switch k {
	case P256:
		return elliptic.P256()
	case P384:
		return elliptic.P384()
	case P521:
		return elliptic.P521()
	}
	return nil
}
