package keyset

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/assertd/assertd/jwks"
)

// maxCertificateFile is the largest file of certificates that is read, in
// bytes: room for some hundred.
const maxCertificateFile = 1 << 20

// ErrCertificates is the kind of every complaint about a file of certificates.
var ErrCertificates = errors.New("certificates refused")

// ReadCertificates reads a PEM file of certificates, of which it must hold at
// least one and nothing else: a private key beside them is refused, since it
// has no business on this machine.
func ReadCertificates(path string) ([]*x509.Certificate, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCertificates, err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxCertificateFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrCertificates, err)
	case len(text) > maxCertificateFile:
		return nil, fmt.Errorf("%w: %s has more than %d bytes", ErrCertificates, path, maxCertificateFile)
	}
	certificates, err := ParseCertificates(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return certificates, nil
}

// ParseCertificates reads certificates in PEM, or a single one in DER.
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
			return nil, fmt.Errorf("%w: it holds a %s; leave only CERTIFICATE blocks in it", ErrCertificates, block.Type)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: certificate %d: %w", ErrCertificates, len(certificates)+1, err)
		}
		certificates, text = append(certificates, certificate), rest
	}
	switch {
	case len(certificates) == 0:
		return nil, fmt.Errorf("%w: it holds no certificate; give it in PEM", ErrCertificates)
	case len(bytes.TrimSpace(text)) > 0:
		return nil, fmt.Errorf("%w: there is something after certificate %d that is no PEM", ErrCertificates, len(certificates))
	}
	return certificates, nil
}

// Chain picks, from certificates in any order, the key's own and then its
// issuers as far as they are there: what x5c wants. Of several for the key the
// one that ends last counts. It is empty where none is for the key.
func Chain(public crypto.PublicKey, certificates []*x509.Certificate) []*x509.Certificate {
	var leaf *x509.Certificate
	for _, c := range certificates {
		if certifies(c, public) && (leaf == nil || c.NotAfter.After(leaf.NotAfter)) {
			leaf = c
		}
	}
	if leaf == nil {
		return nil
	}
	chain := []*x509.Certificate{leaf}
	for last := leaf; !bytes.Equal(last.RawIssuer, last.RawSubject); last = chain[len(chain)-1] {
		i := slices.IndexFunc(certificates, func(c *x509.Certificate) bool {
			return bytes.Equal(c.RawSubject, last.RawIssuer) && !slices.ContainsFunc(chain, c.Equal) && last.CheckSignatureFrom(c) == nil
		})
		if i < 0 {
			break
		}
		chain = append(chain, certificates[i])
	}
	return chain
}

func certifies(c *x509.Certificate, public crypto.PublicKey) bool {
	key, ok := public.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(c.PublicKey)
}

// chainOf prefers the file of the configuration to what the token keeps.
func (s Set) chainOf(pair Pair) []*x509.Certificate {
	if chain := Chain(pair.Public, s.Certificates); chain != nil {
		return chain
	}
	return Chain(pair.Public, pair.Certificates)
}

// checkFile refuses a file of which no certificate is for any of the set's
// keys. Issuers, and certificates of versions that are gone by now, may stand
// beside one that is. Without keys there is nothing to check the file against.
func (e *entry) checkFile() error {
	if len(e.set.Certificates) == 0 || len(e.keys) == 0 {
		return nil
	}
	for _, key := range e.keys {
		if len(Chain(key.Public, e.set.Certificates)) > 0 {
			return nil
		}
	}
	return fmt.Errorf("%w: key set %q: %w: the file has %q, which none of the set's versions fits; request one with assertd key csr",
		ErrKey, e.set.Name, jwks.ErrCertificateKey, e.set.Certificates[0].Subject)
}

// Certificates says what is wrong, or will be within the time given, with the
// certificates of published keys. An ended certificate takes nothing from its
// key, so nothing stops for it; receivers that ask for one will refuse.
func (r *Ring) Certificates(within time.Duration) []error {
	var problems []error
	keys, _ := r.Published(r.AssertionSets()...)
	for _, key := range keys {
		err := jwks.CheckCertificates(key.Public, key.Certificates, r.now())
		if err == nil {
			err = endsWithin(key, r.now().Add(within))
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("key %s: %w", key.Kid, err))
		}
	}
	return problems
}

func endsWithin(key jwks.Key, moment time.Time) error {
	for _, c := range key.Certificates {
		if moment.After(c.NotAfter) {
			return fmt.Errorf("its certificate %q ends at %s; renew it in time with assertd key csr and assertd key import-cert",
				c.Subject, c.NotAfter.UTC().Format(time.RFC3339))
		}
	}
	return nil
}
