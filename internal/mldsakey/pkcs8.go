package mldsakey

import (
	"crypto/subtle"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"

	"filippo.io/mldsa"
)

// Errors of ParsePKCS8.
var (
	// ErrOtherType: the key isn't an ML-DSA key, or isn't PKCS #8 at all.
	ErrOtherType = errors.New("not an ML-DSA key in PKCS #8")
	// ErrDamaged: the key is an ML-DSA key that can't be used.
	ErrDamaged = errors.New("the ML-DSA key is damaged")
	// ErrNoSeed: the file has only the expanded key, from which the seed can't
	// be computed.
	ErrNoSeed = errors.New("the ML-DSA key lacks its seed")
)

// privateKeyInfo is PrivateKeyInfo (RFC 5208 section 5) without its attributes.
type privateKeyInfo struct {
	Version    int
	Algorithm  pkix.AlgorithmIdentifier
	PrivateKey []byte
	Attributes asn1.RawValue `asn1:"optional,tag:0"`
	PublicKey  asn1.RawValue `asn1:"optional,tag:1"` // RFC 5958
}

// both is the form of a private key that has the seed and the expanded key.
type both struct{ Seed, Expanded []byte }

// oids are the algorithms of RFC 9881 section 2.
var oids = []struct {
	oid        asn1.ObjectIdentifier
	parameters mldsa.Parameters
}{
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 17}, mldsa.MLDSA44()},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 18}, mldsa.MLDSA65()},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 19}, mldsa.MLDSA87()},
}

// ParsePKCS8 reads a private key in DER that has its seed. An expanded key next
// to the seed must be the seed's. Errors contain nothing of the key.
func ParsePKCS8(der []byte) (*mldsa.PrivateKey, error) {
	var info privateKeyInfo
	if rest, err := asn1.Unmarshal(der, &info); err != nil || len(rest) > 0 {
		return nil, ErrOtherType
	}
	defer clear(info.PrivateKey)
	for _, known := range oids {
		if known.oid.Equal(info.Algorithm.Algorithm) {
			return parse(known.parameters, info.PrivateKey)
		}
	}
	return nil, ErrOtherType
}

// parse reads ML-DSA-*-PrivateKey, a choice of three.
func parse(parameters mldsa.Parameters, der []byte) (*mldsa.PrivateKey, error) {
	var choice asn1.RawValue
	rest, err := asn1.Unmarshal(der, &choice)
	switch {
	case err != nil || len(rest) > 0:
		return nil, ErrDamaged
	case choice.Class == asn1.ClassContextSpecific && choice.Tag == 0 && !choice.IsCompound:
		return fromSeed(parameters, choice.Bytes)
	case choice.Class == asn1.ClassUniversal && choice.Tag == asn1.TagOctetString:
		return nil, ErrNoSeed
	}
	var pair both
	if rest, err := asn1.Unmarshal(der, &pair); err != nil || len(rest) > 0 {
		return nil, ErrDamaged
	}
	defer clear(pair.Seed)
	defer clear(pair.Expanded)
	key, err := fromSeed(parameters, pair.Seed)
	if err != nil {
		return nil, err
	}
	expanded := Expand(key)
	defer clear(expanded)
	if subtle.ConstantTimeCompare(expanded, pair.Expanded) != 1 {
		return nil, ErrDamaged
	}
	return key, nil
}

func fromSeed(parameters mldsa.Parameters, seed []byte) (*mldsa.PrivateKey, error) {
	key, err := mldsa.NewPrivateKey(parameters, seed)
	if err != nil {
		return nil, ErrDamaged
	}
	return key, nil
}

// MarshalPKCS8 returns the key in DER with its seed and the expanded key, which
// every reader understands. The caller clears it.
func MarshalPKCS8(key *mldsa.PrivateKey) ([]byte, error) {
	pair := both{key.Bytes(), Expand(key)}
	defer clear(pair.Seed)
	defer clear(pair.Expanded)
	inner, err := asn1.Marshal(pair)
	if err != nil {
		return nil, err
	}
	defer clear(inner)
	for _, known := range oids {
		if known.parameters == key.PublicKey().Parameters() {
			return asn1.Marshal(struct {
				Version    int
				Algorithm  pkix.AlgorithmIdentifier
				PrivateKey []byte
			}{0, pkix.AlgorithmIdentifier{Algorithm: known.oid}, inner})
		}
	}
	return nil, ErrOtherType
}
