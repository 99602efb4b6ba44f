package ship

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"github.com/assertd/assertd/internal/trustpath"
)

// Certificates are PEM files, read for each connection.
type Certificates struct {
	CA        string // "" for the system's
	Cert, Key string // of the client; "" for none
	Trust     trustpath.Rules
}

func (c Certificates) config() (*tls.Config, error) {
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CA != "" {
		content, err := c.Trust.Read(c.CA, trustpath.File, trustpath.MaxPEM)
		if err != nil {
			return nil, err
		}
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(content) {
			return nil, fmt.Errorf("%s has no certificate; use a PEM file", c.CA)
		}
	}
	if c.Cert == "" {
		return settings, nil
	}
	pair, err := c.Trust.KeyPair(c.Cert, c.Key)
	if err != nil {
		return nil, fmt.Errorf("client certificate: %w; use PEM files that belong together", err)
	}
	settings.Certificates = []tls.Certificate{pair}
	return settings, nil
}
