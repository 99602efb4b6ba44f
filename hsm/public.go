package hsm

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/asn1"
	"fmt"
	"math/big"

	"filippo.io/mldsa"
	"github.com/miekg/pkcs11"

	"github.com/assertd/assertd/internal/jose"
)

// PKCS#11 v3.0 constants that miekg/pkcs11 lacks.
const (
	ckrCurveNotSupported = 0x140
	ckkEdwards           = 0x40
	ckmEdwardsKeyPairGen = 0x1055
	ckmEdDSA             = 0x1057
)

// PKCS#11 v3.2 constants that miekg/pkcs11 lacks.
const (
	ckkMLDSA           = 0x4A
	ckmMLDSAKeyPairGen = 0x1C
	ckmMLDSA           = 0x1D
	ckaParameterSet    = 0x61D
	ckaSeed            = 0x637
	ckaPublicKeyInfo   = 0x129 // of v2.40
)

// parameterSets are the values of CKA_PARAMETER_SET (CKP_ML_DSA_44, _65 and
// _87).
var parameterSets = map[uint]jose.Kind{1: jose.MLDSA44, 2: jose.MLDSA65, 3: jose.MLDSA87}

// minRSABits is the smallest RSA key that is used, in bits (NIST SP 800-131A).
const minRSABits = 2048

var curves = []struct {
	oid   asn1.ObjectIdentifier
	curve elliptic.Curve
}{
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}, elliptic.P256()},
	{asn1.ObjectIdentifier{1, 3, 132, 0, 34}, elliptic.P384()},
	{asn1.ObjectIdentifier{1, 3, 132, 0, 35}, elliptic.P521()},
}

// oidEd25519 is id-Ed25519 of RFC 8410.
var oidEd25519 = asn1.ObjectIdentifier{1, 3, 101, 112}

// decodeSame decodes public keys that must all be the same.
func (s session) decodeSame(handles []pkcs11.ObjectHandle, kind uint) (public crypto.PublicKey, err error) {
	for _, handle := range handles {
		next, err := s.decode(handle, kind)
		switch {
		case err != nil:
			return nil, err
		case next == nil:
			return nil, fail(ErrUnusable, nil, "the public half on the token lacks its key material")
		case public != nil && !equal(public, next):
			return nil, fail(ErrAmbiguous, nil, "the token has different public keys with this key's label and CKA_ID; "+
				"give those that don't belong to it another CKA_ID")
		}
		public = next
	}
	return public, nil
}

func equal(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}

// decode reads the public key from a key object; nil if the object doesn't have
// it.
func (s session) decode(object pkcs11.ObjectHandle, kind uint) (crypto.PublicKey, error) {
	names := []uint{pkcs11.CKA_EC_PARAMS, pkcs11.CKA_EC_POINT}
	switch kind {
	case pkcs11.CKK_RSA:
		names = []uint{pkcs11.CKA_MODULUS, pkcs11.CKA_PUBLIC_EXPONENT}
	case ckkMLDSA:
		return s.decodeMLDSA(object)
	case pkcs11.CKK_EC, ckkEdwards:
	default:
		return nil, fail(ErrUnusable, nil, "keys of PKCS#11 type %s aren't supported", keyTypeName(kind))
	}
	values, err := s.attributes(object, names...)
	if err != nil || len(values[0]) == 0 || len(values[1]) == 0 {
		return nil, err
	}
	switch kind {
	case pkcs11.CKK_RSA:
		return decodeRSA(values[0], values[1])
	case pkcs11.CKK_EC:
		return decodeECDSA(values[0], values[1])
	}
	return decodeEd25519(values[0], values[1])
}

// decodeMLDSA reads the public key from CKA_VALUE of a public key object. In a
// private key that attribute is the private key, so there only
// CKA_PUBLIC_KEY_INFO is read.
func (s session) decodeMLDSA(object pkcs11.ObjectHandle) (crypto.PublicKey, error) {
	values, err := s.attributes(object, pkcs11.CKA_CLASS, ckaParameterSet)
	if err != nil {
		return nil, err
	}
	if class, _ := ulong(values[0]); class != pkcs11.CKO_PUBLIC_KEY {
		spki, err := s.attribute(object, ckaPublicKeyInfo)
		if err != nil || len(spki) == 0 {
			return nil, err
		}
		public, err := jose.ParseSPKI(spki)
		if err != nil {
			return nil, fail(ErrUnusable, err, "the key's CKA_PUBLIC_KEY_INFO is invalid")
		}
		return public, nil
	}
	set, _ := ulong(values[1])
	parameters, ok := parameterSets[set].Parameters()
	if !ok {
		return nil, fail(ErrUnusable, nil, "an ML-DSA key with parameter set %d isn't supported; use ML-DSA-44, -65 or -87", set)
	}
	value, err := s.attribute(object, pkcs11.CKA_VALUE)
	if err != nil || len(value) == 0 {
		return nil, err
	}
	public, err := mldsa.NewPublicKey(parameters, value)
	if err != nil {
		return nil, fail(ErrUnusable, err, "the key's public value is invalid")
	}
	return public, nil
}

func decodeRSA(modulus, exponent []byte) (crypto.PublicKey, error) {
	n, e := new(big.Int).SetBytes(modulus), new(big.Int).SetBytes(exponent)
	if n.BitLen() < minRSABits {
		return nil, fail(ErrUnusable, nil, "an RSA key of %d bits is too small; the minimum is %d", n.BitLen(), minRSABits)
	}
	if !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 || e.Bit(0) == 0 {
		return nil, fail(ErrUnusable, nil, "the RSA key's public exponent %v isn't supported", e)
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

func decodeECDSA(params, point []byte) (crypto.PublicKey, error) {
	var oid asn1.ObjectIdentifier
	if rest, err := asn1.Unmarshal(params, &oid); err != nil || len(rest) > 0 {
		return nil, fail(ErrUnusable, nil, "the key's curve isn't a named curve")
	}
	for _, known := range curves {
		if !known.oid.Equal(oid) {
			continue
		}
		raw, err := pointBytes(point, 1+2*coordinate(known.curve))
		if err != nil {
			return nil, err
		}
		public, err := ecdsa.ParseUncompressedPublicKey(known.curve, raw)
		if err != nil {
			return nil, fail(ErrUnusable, err, "the key's public point is invalid")
		}
		return public, nil
	}
	return nil, fail(ErrUnusable, nil, "keys on the curve %v aren't supported", oid)
}

// coordinate is the width of a coordinate, and of each half of a signature, in
// bytes.
func coordinate(curve elliptic.Curve) int { return (curve.Params().BitSize + 7) / 8 }

// decodeEd25519 accepts the curve as a PrintableString, as in PKCS#11 v3.0, or
// as the OID of RFC 8410.
func decodeEd25519(params, point []byte) (crypto.PublicKey, error) {
	var name string
	var oid asn1.ObjectIdentifier
	if _, err := asn1.UnmarshalWithParams(params, &name, "printable"); err != nil || name != "edwards25519" {
		if _, err := asn1.Unmarshal(params, &oid); err != nil || !oid.Equal(oidEd25519) {
			return nil, fail(ErrUnusable, nil, "edwards25519 is the only Edwards curve supported")
		}
	}
	raw, err := pointBytes(point, ed25519.PublicKeySize)
	return ed25519.PublicKey(raw), err
}

// pointBytes unwraps a CKA_EC_POINT. The standard wants an OCTET STRING; some
// modules return the bare point and some a BIT STRING. The length decides,
// since a bare uncompressed point and an OCTET STRING start with the same byte.
// tpm2-pkcs11 writes the length of a P-521 point in one byte, where DER has
// two. That is refused: the module can't read it back, and doesn't sign with
// the key.
func pointBytes(point []byte, size int) ([]byte, error) {
	if len(point) == size {
		return point, nil
	}
	var octets []byte
	if rest, err := asn1.Unmarshal(point, &octets); err == nil && len(rest) == 0 && len(octets) == size {
		return octets, nil
	}
	var bits asn1.BitString
	if rest, err := asn1.Unmarshal(point, &bits); err == nil && len(rest) == 0 && bits.BitLength == 8*size {
		return bits.Bytes, nil
	}
	return nil, fail(ErrUnusable, nil, "the key's public point has %d bytes in an unknown encoding, want %d", len(point), size)
}

// ecParams are the values of CKA_EC_PARAMS to generate a key of the type with.
// For Edwards curves opencryptoki takes only the OID of RFC 8410, and YubiHSM
// only the name of PKCS#11 v3.0.
func ecParams(typ KeyType) ([][]byte, error) {
	if typ == Ed25519 {
		oid, err := asn1.Marshal(oidEd25519)
		if err != nil {
			return nil, err
		}
		name, err := asn1.MarshalWithParams("edwards25519", "printable")
		return [][]byte{oid, name}, err
	}
	for _, known := range curves {
		if known.curve == typ.curve() {
			oid, err := asn1.Marshal(known.oid)
			return [][]byte{oid}, err
		}
	}
	return nil, fmt.Errorf("hsm: %s has no curve", typ)
}
