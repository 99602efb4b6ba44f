package jwks

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"

	"github.com/assertd/assertd/internal/trustpath"
)

// TLSCertificate is a certificate of the HTTPS server that follows its files:
// the next handshake after a renewal uses the new one. It is safe for
// concurrent use.
type TLSCertificate struct {
	certFile, keyFile string
	trust             trustpath.Rules
	onReload          func(error)

	mu      sync.Mutex
	current *tls.Certificate
	seen    [2]os.FileInfo // the files of the last attempt, good or bad
}

// LoadTLSCertificate reads a PEM certificate chain and its key. It refuses
// files that others can change, and a key that others can read. onReload, if
// not nil, is called after each later change of the files: with nil if the new
// certificate is now in use, or with the error if it is bad and the old one
// stays.
func LoadTLSCertificate(certFile, keyFile string, trust trustpath.Rules, onReload func(error)) (*TLSCertificate, error) {
	c := &TLSCertificate{certFile: certFile, keyFile: keyFile, trust: trust, onReload: onReload}
	seen, err := c.stat()
	if err != nil {
		return nil, c.describe(err)
	}
	if c.current, err = c.read(); err != nil {
		return nil, err
	}
	c.seen = seen
	return c, nil
}

// GetCertificate is for tls.Config. It reloads the files if they have changed.
// It never fails: the last good certificate stays.
func (c *TLSCertificate) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	current, changed, err := c.refresh()
	if changed && c.onReload != nil {
		c.onReload(err)
	}
	return current, nil
}

// refresh reads the files again if they have changed since the last attempt. A
// bad file is thus tried, and reported, once.
func (c *TLSCertificate) refresh() (current *tls.Certificate, changed bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen, err := c.stat()
	if err != nil {
		// Some tools replace files by removing them for a moment.
		changed = c.seen != [2]os.FileInfo{}
		c.seen = [2]os.FileInfo{}
		return c.current, changed, c.describe(err)
	}
	if sameFiles(seen, c.seen) {
		return c.current, false, nil
	}
	c.seen = seen
	renewed, err := c.read()
	if err != nil {
		return c.current, true, err
	}
	c.current = renewed
	return c.current, true, nil
}

func (c *TLSCertificate) stat() (seen [2]os.FileInfo, err error) {
	for i, name := range []string{c.certFile, c.keyFile} {
		if seen[i], err = os.Stat(name); err != nil {
			return seen, err
		}
	}
	return seen, nil
}

func sameFiles(a, b [2]os.FileInfo) bool {
	for i := range a {
		if a[i] == nil || b[i] == nil || !os.SameFile(a[i], b[i]) ||
			!a[i].ModTime().Equal(b[i].ModTime()) || a[i].Size() != b[i].Size() {
			return false
		}
	}
	return true
}

func (c *TLSCertificate) read() (*tls.Certificate, error) {
	certificate, err := c.trust.KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return nil, c.describe(err)
	}
	return &certificate, nil
}

// describe adds the files to an error. The errors of crypto/tls and os contain
// no key material.
func (c *TLSCertificate) describe(err error) error {
	return fmt.Errorf("TLS certificate %s with key %s: %w", c.certFile, c.keyFile, err)
}
