package jose

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"fmt"

	"filippo.io/mldsa"
)

// CertifiedKey is the public key of a certificate; nil if it isn't supported.
// crypto/x509 doesn't know ML-DSA keys (RFC 9881) yet.
func CertifiedKey(c *x509.Certificate) crypto.PublicKey {
	if c.PublicKey != nil {
		return c.PublicKey
	}
	public, err := ParseSPKI(c.RawSubjectPublicKeyInfo)
	if err != nil {
		return nil
	}
	return public
}

// Certifies reports whether a certificate is for a public key.
func Certifies(c *x509.Certificate, public crypto.PublicKey) bool {
	key, ok := public.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(CertifiedKey(c))
}

// CheckIssuer checks that the issuer signed a certificate, and may issue
// certificates (RFC 5280 section 4.2.1.9).
func CheckIssuer(c, issuer *x509.Certificate) error {
	public, ok := CertifiedKey(issuer).(*mldsa.PublicKey)
	switch {
	case !ok:
		return c.CheckSignatureFrom(issuer)
	case !issuer.IsCA && !bytes.Equal(c.Raw, issuer.Raw):
		return fmt.Errorf("%q isn't a certificate authority", issuer.Subject)
	case issuer.KeyUsage != 0 && issuer.KeyUsage&x509.KeyUsageCertSign == 0 && !bytes.Equal(c.Raw, issuer.Raw):
		return fmt.Errorf("%q must not sign certificates", issuer.Subject)
	}
	return Verify(public, c.RawTBSCertificate, nil, c.Signature)
}
