package keyset

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/internal/trustpath"
	"github.com/assertd/assertd/jwks"
)

// maxCertificateFile is the size limit of a certificate file in bytes: room for
// hundreds of certificates.
const maxCertificateFile = 1 << 20

// ErrCertificates is the kind of every problem with a certificate file.
var ErrCertificates = errors.New("certificates refused")

// ReadCertificates reads a PEM file of at least one certificate and nothing
// else. A private key in it is refused: it must not be on this machine. So is a
// file that others can change.
func ReadCertificates(rules trustpath.Rules, path string) ([]*x509.Certificate, error) {
	text, err := rules.Read(path, trustpath.File, maxCertificateFile)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCertificates, err)
	}
	certificates, err := ParseCertificates(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return certificates, nil
}

// ParseCertificates parses PEM certificates, or a single DER certificate.
func ParseCertificates(text []byte) ([]*x509.Certificate, error) {
	if single, err := x509.ParseCertificate(text); err == nil {
		return []*x509.Certificate{single}, nil
	}
	var certificates []*x509.Certificate
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("%w: it contains a %s block; leave only CERTIFICATE blocks", ErrCertificates, block.Type)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: certificate %d: %w", ErrCertificates, len(certificates)+1, err)
		}
		certificates, text = append(certificates, certificate), rest
	}
	switch {
	case len(certificates) == 0:
		return nil, fmt.Errorf("%w: it contains no certificate; supply PEM", ErrCertificates)
	case len(bytes.TrimSpace(text)) > 0:
		return nil, fmt.Errorf("%w: certificate %d is followed by data that is not PEM", ErrCertificates, len(certificates))
	}
	return certificates, nil
}

// Chain picks the key's certificate and then its issuers, as far as they are
// present, from certificates in any order: the order of x5c (RFC 7517 section
// 4.7). Of several certificates for the key it picks the one that expires last.
// Without any, the chain is empty.
func Chain(public crypto.PublicKey, certificates []*x509.Certificate) []*x509.Certificate {
	var leaf *x509.Certificate
	for _, c := range certificates {
		if jose.Certifies(c, public) && (leaf == nil || c.NotAfter.After(leaf.NotAfter)) {
			leaf = c
		}
	}
	if leaf == nil {
		return nil
	}
	chain := []*x509.Certificate{leaf}
	for last := leaf; !bytes.Equal(last.RawIssuer, last.RawSubject); last = chain[len(chain)-1] {
		i := slices.IndexFunc(certificates, func(c *x509.Certificate) bool {
			return bytes.Equal(c.RawSubject, last.RawIssuer) && !slices.ContainsFunc(chain, c.Equal) && jose.CheckIssuer(last, c) == nil
		})
		if i < 0 {
			break
		}
		chain = append(chain, certificates[i])
	}
	return chain
}

// chainOf prefers the configured file to the certificates on the token.
func (s Set) chainOf(pair Pair) []*x509.Certificate {
	if chain := Chain(pair.Public, s.Certificates); chain != nil {
		return chain
	}
	return Chain(pair.Public, pair.Certificates)
}

// checkFile refuses a certificate file without a certificate for any of the
// set's keys. The file may also have issuers and the certificates of versions
// that no longer exist. Without keys there is nothing to check.
func (e *entry) checkFile() error {
	if len(e.set.Certificates) == 0 || len(e.keys) == 0 {
		return nil
	}
	for _, key := range e.keys {
		if len(Chain(key.Public, e.set.Certificates)) > 0 {
			return nil
		}
	}
	return fmt.Errorf("%w: key set %q: %w: the file's certificate %q is not for any of the set's versions; request one with assertd key csr",
		ErrKey, e.set.Name, jwks.ErrCertificateKey, e.set.Certificates[0].Subject)
}

// Certificates returns the problems that the certificates of published keys
// have, or will have within the given time. A key with an expired certificate
// still signs; receivers that require a certificate will refuse it.
func (r *Ring) Certificates(within time.Duration) []error {
	var problems []error
	keys, _ := r.Published(r.AssertionSets()...)
	for _, key := range keys {
		err := jwks.CheckCertificates(key.Public, key.Certificates, r.now())
		if err == nil {
			err = expiresBy(key, r.now().Add(within))
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("key %s: %w", key.Kid, err))
		}
	}
	return problems
}

func expiresBy(key jwks.Key, moment time.Time) error {
	for _, c := range key.Certificates {
		if moment.After(c.NotAfter) {
			return fmt.Errorf("certificate %q expires at %s; renew it with assertd key csr and assertd key import-cert",
				c.Subject, c.NotAfter.UTC().Format(time.RFC3339))
		}
	}
	return nil
}
