package keyadmin

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"os"
	"time"

	"github.com/assertd/assertd/internal/atomicfile"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/jwks"
)

// ErrNames is a subject or an alternative name that can't stand in a
// certificate.
var ErrNames = errors.New("unusable name for a certificate")

// Names are whom a certificate is for.
type Names struct {
	Subject string // such as "CN=payments-api,O=Example Ltd,C=GB"
	DNS     []string
	URIs    []string
	Emails  []string
	IPs     []string
}

// request makes the names into a template.
func (n Names) request() (*x509.CertificateRequest, error) {
	subject, err := ParseSubject(n.Subject)
	if err != nil {
		return nil, err
	}
	template := &x509.CertificateRequest{RawSubject: subject, DNSNames: n.DNS}
	for _, text := range n.URIs {
		uri, err := url.Parse(text)
		if err != nil || !uri.IsAbs() {
			return nil, fmt.Errorf("%w: %q is no absolute URI", ErrNames, text)
		}
		template.URIs = append(template.URIs, uri)
	}
	for _, text := range n.IPs {
		ip := net.ParseIP(text)
		if ip == nil {
			return nil, fmt.Errorf("%w: %q is no IP address", ErrNames, text)
		}
		template.IPAddresses = append(template.IPAddresses, ip)
	}
	for _, text := range n.Emails {
		address, err := mail.ParseAddress(text)
		if err != nil || address.Address != text {
			return nil, fmt.Errorf("%w: %q is no e-mail address", ErrNames, text)
		}
	}
	template.EmailAddresses = n.Emails
	return template, nil
}

// CSR is a certificate signing request that the HSM signs (RFC 2986), in PEM.
func (k Key) CSR(names Names) ([]byte, error) {
	template, err := names.request()
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, k.Pair)
	if err != nil {
		return nil, fmt.Errorf("request a certificate for key %s: %w", k.Kid, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}

// SelfSigned is a certificate that the key signs for itself, in PEM, for
// receivers such as Entra that only want the key in that form. It can sign
// nothing else: it is no certificate authority.
func (k Key) SelfSigned(names Names, life time.Duration, now time.Time) ([]byte, error) {
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
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Pair.Public(), k.Pair)
	if err != nil {
		return nil, fmt.Errorf("certify key %s: %w", k.Kid, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// checkImport holds a chain to what receivers will: it is the key's, it is a
// chain, and it is valid now.
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
	// An issuer that leads nowhere is a chain with a gap, or one of another key.
	for _, c := range certificates {
		if c.IsCA && !contains(chain, c) {
			return nil, fmt.Errorf("%w: %q issued none of the certificates of %q; add those between them, or leave it out",
				jwks.ErrCertificateChain, c.Subject, chain[0].Subject)
		}
	}
	return chain, jwks.CheckCertificates(k.Pair.Public(), chain, now)
}

// ImportToToken stores a certificate, in PEM or DER, beside its key on the
// token, where it replaces a former one. The token keeps the key's own alone:
// left is the number of issuers in text that it does not keep.
func (a *Admin) ImportToToken(k Key, text []byte) (certificate *x509.Certificate, left int, err error) {
	chain, err := k.checkImport(text, a.now())
	if err != nil {
		return nil, 0, err
	}
	if err := a.token.StoreCertificate(k.Pair, chain[0]); err != nil {
		return nil, 0, fmt.Errorf("%w; a token that keeps no certificates needs them in a file: see --file", err)
	}
	return chain[0], len(chain) - 1, nil
}

// ImportToFile puts a certificate, in PEM or DER, with its issuers into the file
// of the key's set. The file keeps what it has for other versions. A reader sees
// the old file or the new one whole.
func (a *Admin) ImportToFile(k Key, text []byte, path string) (*x509.Certificate, error) {
	chain, err := k.checkImport(text, a.now())
	if err != nil {
		return nil, err
	}
	kept, err := keyset.ReadCertificates(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
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

func contains(chain []*x509.Certificate, c *x509.Certificate) bool {
	for _, other := range chain {
		if bytes.Equal(other.Raw, c.Raw) {
			return true
		}
	}
	return false
}

// CertificateFile is the file in which the configuration keeps the certificates
// of the key's set.
func (inv *Inventory) CertificateFile(k Key) (string, error) {
	for _, p := range inv.Plans {
		if p.Set.Name == k.Set && p.Set.CertificateFile != "" {
			return p.Set.CertificateFile, nil
		}
	}
	return "", fmt.Errorf("%w: the configuration names no file for key %s; write keys.%s.certificate, or leave the certificate on the token", ErrNoCertificate, k.Kid, orDash(k.Set))
}
