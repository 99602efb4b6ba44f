package keyadmin

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/mail"
	"net/url"
	"time"

	"github.com/assertd/assertd/internal/atomicfile"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/terminal"
	"github.com/assertd/assertd/internal/trustpath"
	"github.com/assertd/assertd/jwks"
)

// ErrNames reports a subject or an alternative name that a certificate can't
// have.
var ErrNames = errors.New("unusable name for a certificate")

// Names are the subject and the alternative names of a certificate.
type Names struct {
	Subject string // such as "CN=payments-api,O=Example Ltd,C=GB"
	DNS     []string
	URIs    []string
	Emails  []string
	IPs     []string
}

// request returns a template with the names.
func (n Names) request() (*x509.CertificateRequest, error) {
	subject, err := ParseSubject(n.Subject)
	if err != nil {
		return nil, err
	}
	template := &x509.CertificateRequest{RawSubject: subject, DNSNames: n.DNS}
	for _, text := range n.URIs {
		uri, err := url.Parse(text)
		if err != nil || !uri.IsAbs() {
			return nil, fmt.Errorf("%w: %q is not an absolute URI", ErrNames, text)
		}
		template.URIs = append(template.URIs, uri)
	}
	for _, text := range n.IPs {
		ip := net.ParseIP(text)
		if ip == nil {
			return nil, fmt.Errorf("%w: %q is not an IP address", ErrNames, text)
		}
		template.IPAddresses = append(template.IPAddresses, ip)
	}
	for _, text := range n.Emails {
		address, err := mail.ParseAddress(text)
		if err != nil || address.Address != text {
			return nil, fmt.Errorf("%w: %q is not an email address", ErrNames, text)
		}
	}
	template.EmailAddresses = n.Emails
	return template, nil
}

// CSR returns a certificate signing request (RFC 2986) in PEM, signed by the
// HSM.
func (k Key) CSR(names Names) ([]byte, error) {
	template, err := names.request()
	if err != nil {
		return nil, err
	}
	der, err := signRequest(template, k.Pair)
	if err != nil {
		return nil, fmt.Errorf("request a certificate for key %s: %w", k.Kid, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}

// SelfSigned returns a certificate in PEM that the key signs for itself, for
// receivers such as Entra that take keys only in that form. It is not a
// certificate authority.
func (k Key) SelfSigned(names Names, life time.Duration, now time.Time) ([]byte, error) {
	text, err := selfSigned(k.Pair, names, life, now)
	if err != nil {
		return nil, fmt.Errorf("certify key %s: %w", k.Kid, err)
	}
	return text, nil
}

func selfSigned(key crypto.Signer, names Names, life time.Duration, now time.Time) ([]byte, error) {
	request, err := names.request()
	if err != nil {
		return nil, err
	}
	serial := make([]byte, 16)
	_, _ = rand.Read(serial) // never fails (crypto/rand)
	template := &x509.Certificate{
		SerialNumber: positive(serial), RawSubject: request.RawSubject,
		NotBefore: now.UTC().Truncate(time.Second), NotAfter: now.UTC().Add(life).Truncate(time.Second),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		DNSNames: request.DNSNames, URIs: request.URIs, EmailAddresses: request.EmailAddresses, IPAddresses: request.IPAddresses,
	}
	der, err := signItself(template, key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// checkImport applies the receivers' checks: the certificates are for this key,
// form a chain, and are valid now.
func (k Key) checkImport(text []byte, now time.Time) ([]*x509.Certificate, error) {
	certificates, err := keyset.ParseCertificates(text)
	if err != nil {
		return nil, err
	}
	chain := keyset.Chain(k.Pair.Public(), certificates)
	if chain == nil {
		return nil, fmt.Errorf("%w: %q is not for key %s (%s); request one with assertd key csr %s",
			jwks.ErrCertificateKey, certificates[0].Subject, k.Kid, Printable(k.Label), k.Kid)
	}
	// An unused issuer means that the chain has a gap, or is for another key.
	for _, c := range certificates {
		if c.IsCA && !contains(chain, c) {
			return nil, fmt.Errorf("%w: %q issued no certificate in the chain of %q; add the missing certificates, or omit this one",
				jwks.ErrCertificateChain, c.Subject, chain[0].Subject)
		}
	}
	return chain, jwks.CheckCertificates(k.Pair.Public(), chain, now)
}

// ImportToToken stores a certificate, in PEM or DER, with its key on the token,
// where it replaces the previous one. The token stores only the key's own
// certificate: left is the number of issuers in text that it does not store.
func (a *Admin) ImportToToken(k Key, text []byte) (certificate *x509.Certificate, left int, err error) {
	chain, err := k.checkImport(text, a.now())
	if err != nil {
		return nil, 0, err
	}
	if err := a.token.StoreCertificate(k.Pair, chain[0]); err != nil {
		return nil, 0, fmt.Errorf("%w; if the token can't store certificates, use --file", err)
	}
	return chain[0], len(chain) - 1, nil
}

// ImportToFile writes a certificate, in PEM or DER, with its issuers to the
// file of the key's set. The certificates of other versions stay in the file.
// Readers see the whole old file or the whole new one.
func (a *Admin) ImportToFile(k Key, text []byte, path string) (*x509.Certificate, error) {
	chain, err := k.checkImport(text, a.now())
	if err != nil {
		return nil, err
	}
	kept, err := certificatesIn(path)
	if err != nil {
		return nil, err
	}
	for _, c := range kept {
		if mine := keyset.Chain(k.Pair.Public(), []*x509.Certificate{c}); mine == nil && !contains(chain, c) {
			chain = append(chain, c)
		}
	}
	text, err = Key{Certificates: chain}.CertificatePEM()
	if err != nil {
		return nil, err
	}
	return chain[0], atomicfile.Replace(path, text, 0o644) // certificates are public
}

// certificatesIn returns the certificates of a file that may be missing.
func certificatesIn(path string) ([]*x509.Certificate, error) {
	text, err := trustpath.ReadRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	certificates, err := keyset.ParseCertificates(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return certificates, nil
}

func contains(chain []*x509.Certificate, c *x509.Certificate) bool {
	for _, other := range chain {
		if bytes.Equal(other.Raw, c.Raw) {
			return true
		}
	}
	return false
}

// CertificateFile returns the configured file for the certificates of the key's
// set.
func (inv *Inventory) CertificateFile(k Key) (string, error) {
	for _, p := range inv.Plans {
		if p.Set.Name == k.Set && p.Set.CertificateFile != "" {
			return p.Set.CertificateFile, nil
		}
	}
	return "", fmt.Errorf("%w: the configuration has no certificate file for key %s; set keys.%s.certificate, or store the certificate on the token", ErrNoCertificate, k.Kid, terminal.Dash(k.Set))
}
