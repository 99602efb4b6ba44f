package jwks

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/assertd/assertd/internal/jose"
)

// CheckCertificates checks that a chain can be published with a key at a given
// time: the first certificate is for this key (ErrCertificateKey), each next
// one signed the one before (ErrCertificateChain), and all are valid now
// (ErrCertificateExpired, ErrCertificateFuture). Whether to trust the last one
// is up to the receiver. An empty chain is valid.
func CheckCertificates(public crypto.PublicKey, chain []*x509.Certificate, now time.Time) error {
	if err := checkChain(public, chain); err != nil {
		return err
	}
	for _, certificate := range chain {
		if now.After(certificate.NotAfter) {
			return fmt.Errorf("%w: %q expired at %s; import a renewed one", ErrCertificateExpired,
				certificate.Subject, certificate.NotAfter.UTC().Format(time.RFC3339))
		}
		if now.Before(certificate.NotBefore) {
			return fmt.Errorf("%w: %q is valid from %s; check this machine's clock", ErrCertificateFuture,
				certificate.Subject, certificate.NotBefore.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

// checkChain is the part of CheckCertificates that needs no time. Sets are
// built without a clock: an expired certificate doesn't invalidate its key.
func checkChain(public crypto.PublicKey, chain []*x509.Certificate) error {
	for i, certificate := range chain {
		if certificate == nil || len(certificate.Raw) == 0 {
			return fmt.Errorf("%w: certificate %d is empty", ErrCertificateChain, i+1)
		}
		if i == 0 {
			if err := checkLeaf(public, certificate); err != nil {
				return err
			}
			continue
		}
		if err := jose.CheckIssuer(chain[i-1], certificate); err != nil {
			return fmt.Errorf("%w: %q did not sign %q; put the key's own certificate first, and each issuer after it",
				ErrCertificateChain, certificate.Subject, chain[i-1].Subject)
		}
	}
	return nil
}

func checkLeaf(public crypto.PublicKey, certificate *x509.Certificate) error {
	if !jose.Certifies(certificate, public) {
		return fmt.Errorf("%w: %q; request one with this key's CSR", ErrCertificateKey, certificate.Subject)
	}
	return nil
}

// withCertificates adds x5c (standard base64, RFC 7517 section 4.7) and
// x5t#S256 (base64url, section 4.9).
func (k jwk) withCertificates(key Key) (jwk, error) {
	if err := checkChain(key.Public, key.Certificates); err != nil {
		return jwk{}, err
	}
	for _, certificate := range key.Certificates {
		k.X5c = append(k.X5c, base64.StdEncoding.EncodeToString(certificate.Raw))
	}
	if len(key.Certificates) > 0 {
		k.X5tS256 = CertificateThumbprint(key.Certificates[0])
	}
	return k, nil
}

// CertificateThumbprint returns the x5t#S256 of a certificate: base64url of the
// SHA-256 of its DER (RFC 7515 section 4.1.8).
func CertificateThumbprint(certificate *x509.Certificate) string {
	sum := sha256.Sum256(certificate.Raw)
	return b64.EncodeToString(sum[:])
}

func sameChain(a, b []*x509.Certificate) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i].Raw, b[i].Raw) {
			return false
		}
	}
	return true
}
