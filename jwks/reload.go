package jwks

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
)

// Certificate is a TLS certificate that follows its files: a renewed one is
// taken at the next handshake, without a restart. Safe for concurrent use.
type Certificate struct {
	certFile, keyFile string
	onReload          func(error)

	mu      sync.Mutex
	current *tls.Certificate
	seen    [2]os.FileInfo // the files of the last attempt, good or bad
}

// LoadCertificate reads a PEM certificate chain and its key. onReload, which
// may be nil, hears of each change of the files later on: with nil when the new
// certificate was taken, with the error when it was bad and the old one stays.
func LoadCertificate(certFile, keyFile string, onReload func(error)) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile, onReload: onReload}
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

// GetCertificate is for tls.Config. It looks whether the files have changed,
// and never fails once there was a good certificate.
func (c *Certificate) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	current, changed, err := c.refresh()
	if changed && c.onReload != nil {
		c.onReload(err)
	}
	return current, nil
}

// refresh reads the files again if they are not those of the last attempt; so a
// bad file is tried, and reported, once.
func (c *Certificate) refresh() (current *tls.Certificate, changed bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen, err := c.stat()
	if err != nil {
		// Gone for a moment is how some tools replace files.
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

func (c *Certificate) stat() (seen [2]os.FileInfo, err error) {
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

func (c *Certificate) read() (*tls.Certificate, error) {
	certificate, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return nil, c.describe(err)
	}
	return &certificate, nil
}

// describe tells which files; neither the errors of crypto/tls nor those of os
// hold anything of a key.
func (c *Certificate) describe(err error) error {
	return fmt.Errorf("TLS certificate %s with key %s: %w", c.certFile, c.keyFile, err)
}
