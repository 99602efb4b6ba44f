package keyadmin

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"

	"filippo.io/mldsa"

	"github.com/assertd/assertd/internal/jose"
)

// signRequest is x509.CreateCertificateRequest, which doesn't know ML-DSA yet.
func signRequest(template *x509.CertificateRequest, key crypto.Signer) ([]byte, error) {
	if _, ok := key.Public().(*mldsa.PublicKey); !ok {
		return x509.CreateCertificateRequest(rand.Reader, template, key)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, other)
	if err != nil {
		return nil, err
	}
	return replaceKey(der, requestKey, requestKey, key)
}

// signItself makes a certificate with x509.CreateCertificate, which doesn't
// know ML-DSA yet, that a key signs for itself.
func signItself(template *x509.Certificate, key crypto.Signer) ([]byte, error) {
	if _, ok := key.Public().(*mldsa.PublicKey); !ok {
		return x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, other.Public(), other)
	if err != nil {
		return nil, err
	}
	return replaceKey(der, certificateAlgorithm, certificateKey, key)
}

// The places of what depends on the key: in CertificationRequestInfo (RFC 2986
// section 4.1) and in TBSCertificate (RFC 5280 section 4.1), which also names
// the algorithm of the signature.
const (
	requestKey           = 2
	certificateAlgorithm = 2
	certificateKey       = 6
)

// signed is the outer form of a request and of a certificate.
type signed struct {
	Content   asn1.RawValue
	Algorithm asn1.RawValue
	Signature asn1.BitString
}

// replaceKey puts an ML-DSA key in the place of the key that a request or a
// certificate was made with, and signs it again. The algorithm of the signature
// is that of the key (RFC 9881 section 2).
func replaceKey(der []byte, algorithmAt, keyAt int, key crypto.Signer) ([]byte, error) {
	spki, err := jose.MarshalSPKI(key.Public())
	if err != nil {
		return nil, err
	}
	var outer signed
	var fields []asn1.RawValue
	var info struct {
		Algorithm asn1.RawValue
		Key       asn1.BitString
	}
	for _, parse := range []struct {
		der  []byte
		into any
	}{{der, &outer}, {spki, &info}} {
		if _, err := asn1.Unmarshal(parse.der, parse.into); err != nil {
			return nil, err
		}
	}
	if _, err := asn1.Unmarshal(outer.Content.FullBytes, &fields); err != nil {
		return nil, err
	}
	fields[algorithmAt] = info.Algorithm
	fields[keyAt] = asn1.RawValue{FullBytes: spki}
	content, err := asn1.Marshal(fields)
	if err != nil {
		return nil, err
	}
	signature, err := crypto.SignMessage(key, rand.Reader, content, crypto.Hash(0))
	if err != nil {
		return nil, err
	}
	if err := jose.Verify(key.Public(), content, nil, signature); err != nil {
		return nil, err
	}
	return asn1.Marshal(signed{
		asn1.RawValue{FullBytes: content}, info.Algorithm, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)},
	})
}
