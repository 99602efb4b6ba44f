package hsm

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"math/big"

	"filippo.io/mldsa"
	"github.com/miekg/pkcs11"

	"github.com/assertd/assertd/internal/mldsakey"
)

// material is a key pair on its way into the token.
type material struct {
	pkcs8   []byte // PrivateKeyInfo (RFC 5208; RFC 9881 for ML-DSA), for C_UnwrapKey
	private []*pkcs11.Attribute
	public  [][]*pkcs11.Attribute // the ways to write it, one of which the token takes
}

// newMaterial encodes a key. The caller wipes the result.
func newMaterial(key crypto.Signer) (*material, error) {
	der, err := marshalPKCS8(key)
	if err != nil {
		return nil, fail(ErrUnusable, nil, "keys of type %T can't be imported", key)
	}
	m := &material{pkcs8: der}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		m.addRSA(key)
	case *ecdsa.PrivateKey:
		err = m.addECDSA(key)
	case ed25519.PrivateKey:
		err = m.addEd25519(key)
	case *mldsa.PrivateKey:
		m.addMLDSA(key)
	}
	if err != nil {
		m.wipe()
		return nil, err
	}
	return m, nil
}

func marshalPKCS8(key crypto.Signer) ([]byte, error) {
	if key, ok := key.(*mldsa.PrivateKey); ok {
		return mldsakey.MarshalPKCS8(key)
	}
	return x509.MarshalPKCS8PrivateKey(key)
}

// wipe overwrites this package's copies. Those that miekg/pkcs11 makes for the
// module are out of reach.
func (m *material) wipe() {
	clear(m.pkcs8)
	for _, a := range m.private {
		clear(a.Value)
	}
}

func (m *material) addRSA(key *rsa.PrivateKey) {
	key.Precompute()
	m.public = [][]*pkcs11.Attribute{{
		integer(pkcs11.CKA_MODULUS, key.N), integer(pkcs11.CKA_PUBLIC_EXPONENT, big.NewInt(int64(key.E))),
	}}
	m.private = []*pkcs11.Attribute{
		integer(pkcs11.CKA_MODULUS, key.N), integer(pkcs11.CKA_PUBLIC_EXPONENT, big.NewInt(int64(key.E))),
		integer(pkcs11.CKA_PRIVATE_EXPONENT, key.D),
		integer(pkcs11.CKA_PRIME_1, key.Primes[0]), integer(pkcs11.CKA_PRIME_2, key.Primes[1]),
		integer(pkcs11.CKA_EXPONENT_1, key.Precomputed.Dp), integer(pkcs11.CKA_EXPONENT_2, key.Precomputed.Dq),
		integer(pkcs11.CKA_COEFFICIENT, key.Precomputed.Qinv),
	}
}

func integer(attribute uint, n *big.Int) *pkcs11.Attribute {
	return pkcs11.NewAttribute(attribute, n.Bytes())
}

func (m *material) addECDSA(key *ecdsa.PrivateKey) error {
	secret, err := key.Bytes()
	if err != nil {
		return err
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return err
	}
	return m.addCurve(typeOf(&key.PublicKey), secret, point)
}

func (m *material) addEd25519(key ed25519.PrivateKey) error {
	return m.addCurve(Ed25519, key.Seed(), key.Public().(ed25519.PublicKey))
}

// addMLDSA gives the token the seed and the expanded key, since it may take
// either (PKCS #11 v3.2 section 6.67.3).
func (m *material) addMLDSA(key *mldsa.PrivateKey) {
	set := pkcs11.NewAttribute(ckaParameterSet, typeOf(key.Public()).parameterSet())
	m.public = [][]*pkcs11.Attribute{{set, pkcs11.NewAttribute(pkcs11.CKA_VALUE, key.PublicKey().Bytes())}}
	m.private = []*pkcs11.Attribute{set, pkcs11.NewAttribute(ckaSeed, key.Bytes()), pkcs11.NewAttribute(pkcs11.CKA_VALUE, mldsakey.Expand(key))}
}

// addCurve writes the point as the standard wants it. For Edwards curves that
// differs between its versions.
func (m *material) addCurve(typ KeyType, secret, point []byte) error {
	params, err := ecParams(typ)
	if err != nil {
		return err
	}
	octets, err := asn1.Marshal(point)
	if err != nil {
		return err
	}
	bits, err := asn1.Marshal(asn1.BitString{Bytes: point, BitLength: 8 * len(point)})
	if err != nil {
		return err
	}
	curve := pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, params[0])
	for _, encoded := range [][]byte{octets, point, bits} {
		m.public = append(m.public, []*pkcs11.Attribute{curve, pkcs11.NewAttribute(pkcs11.CKA_EC_POINT, encoded)})
	}
	m.private = []*pkcs11.Attribute{curve, pkcs11.NewAttribute(pkcs11.CKA_VALUE, secret)}
	return nil
}
