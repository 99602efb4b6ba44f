package jwks

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math/big"

	"filippo.io/mldsa"

	"github.com/assertd/assertd/internal/jose"
)

// The range of RSA modulus sizes in a set, in bits. RFC 7518 section 3.3 sets
// the minimum. The maximum keeps verification affordable for receivers.
const (
	MinRSABits = 2048
	MaxRSABits = 16384
)

// jwk is one key on the wire, RFC 7517 section 4 and RFC 7518 section 6. The
// order of the fields is the order of the members, so the JSON of a set is the
// same on every machine.
type jwk struct {
	Kty     string   `json:"kty"`
	Kid     string   `json:"kid,omitempty"`
	Use     string   `json:"use,omitempty"`
	Alg     string   `json:"alg,omitempty"`
	Crv     string   `json:"crv,omitempty"`
	X       string   `json:"x,omitempty"`
	Y       string   `json:"y,omitempty"`
	N       string   `json:"n,omitempty"`
	E       string   `json:"e,omitempty"`
	Pub     string   `json:"pub,omitempty"`
	X5c     []string `json:"x5c,omitempty"`
	X5tS256 string   `json:"x5t#S256,omitempty"`
}

// b64 encodes every binary member. It is strict, since two encodings of one
// value would make two documents for one key.
var b64 = base64.RawURLEncoding.Strict()

// kind is the kind of the key: its alg is a part of it for the kty AKP (RFC
// 9964).
func (k jwk) kind() jose.Kind {
	if k.Kty == jose.MLDSA65.Kty {
		return jose.Kind{Kty: k.Kty, Crv: k.Alg}
	}
	return jose.Kind{Kty: k.Kty, Crv: k.Crv}
}

// encodePublic returns the members that describe the key itself. Coordinates
// have the full width of their curve (RFC 7518 section 6.2.1.2), integers have
// no leading zeros (section 6.3.1.1).
func encodePublic(public crypto.PublicKey) (jwk, error) {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		return encodeEC(key)
	case *rsa.PublicKey:
		return encodeRSA(key)
	case ed25519.PublicKey:
		if len(key) != ed25519.PublicKeySize {
			return jwk{}, fmt.Errorf("%w: an Ed25519 key with %d bytes, want %d", ErrUnsupportedKey, len(key), ed25519.PublicKeySize)
		}
		return jwk{Kty: "OKP", Crv: "Ed25519", X: b64.EncodeToString(key)}, nil
	case *mldsa.PublicKey:
		kind := jose.KindOf(key)
		if kind == (jose.Kind{}) {
			return jwk{}, fmt.Errorf("%w: no ML-DSA key", ErrUnsupportedKey)
		}
		return jwk{Kty: kind.Kty, Alg: kind.Crv, Pub: b64.EncodeToString(key.Bytes())}, nil
	case interface{ Public() crypto.PublicKey }:
		return jwk{}, fmt.Errorf("%w: %T; pass its Public()", ErrPrivateKey, public)
	}
	return jwk{}, fmt.Errorf("%w: %T; use an EC (P-256, P-384, P-521), RSA, Ed25519 or ML-DSA public key", ErrUnsupportedKey, public)
}

func encodeEC(key *ecdsa.PublicKey) (jwk, error) {
	kind := jose.KindOf(key)
	if kind.Crv == "" {
		return jwk{}, fmt.Errorf("%w: an EC key must be on P-256, P-384 or P-521", ErrUnsupportedKey)
	}
	// Bytes panics on a key without coordinates, which a literal can be.
	//lint:ignore SA1019 there is no other way to check
	if key.X == nil || key.Y == nil {
		return jwk{}, fmt.Errorf("%w: an EC key without a point", ErrUnsupportedKey)
	}
	point, err := key.Bytes()
	if err != nil {
		return jwk{}, fmt.Errorf("%w: not a point on %s", ErrUnsupportedKey, kind.Crv)
	}
	coordinates := point[1:] // after the 0x04 of an uncompressed point
	half := len(coordinates) / 2
	return jwk{
		Kty: "EC", Crv: kind.Crv,
		X: b64.EncodeToString(coordinates[:half]), Y: b64.EncodeToString(coordinates[half:]),
	}, nil
}

func encodeRSA(key *rsa.PublicKey) (jwk, error) {
	if key == nil || key.N == nil || key.N.Sign() <= 0 || key.N.Bit(0) == 0 || key.E < 3 || key.E%2 == 0 {
		return jwk{}, fmt.Errorf("%w: not an RSA key: modulus and exponent must be odd, the exponent 3 or more", ErrUnsupportedKey)
	}
	e := big.NewInt(int64(key.E)).Bytes()
	return jwk{Kty: "RSA", N: b64.EncodeToString(key.N.Bytes()), E: b64.EncodeToString(e)}, nil
}
