package trustpath

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
)

// MaxPEM is the maximum size of a PEM file, in bytes: room for every authority
// of an operating system.
const MaxPEM = 4 << 20

// KeyPair reads a certificate, followed by its issuers, and its private key,
// which others can't read, from PEM files. Its errors have no key material.
func (r Rules) KeyPair(certificate, key string) (tls.Certificate, error) {
	public, err := r.Read(certificate, File, MaxPEM)
	if err != nil {
		return tls.Certificate{}, err
	}
	private, err := r.Read(key, Secret, MaxPEM)
	if err != nil {
		return tls.Certificate{}, err
	}
	defer clear(private)
	return tls.X509KeyPair(public, private)
}

// ClientTLS returns settings for connections to a server whose certificate
// comes from an authority in the PEM file ca ("" for those of the system), with
// a client certificate and its private key ("" for none).
func (r Rules) ClientTLS(ca, certificate, key string) (*tls.Config, error) {
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		content, err := r.Read(ca, File, MaxPEM)
		if err != nil {
			return nil, err
		}
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(content) {
			return nil, fmt.Errorf("%s has no certificate; use a PEM file", ca)
		}
	}
	if certificate == "" {
		return settings, nil
	}
	pair, err := r.KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("client certificate: %w; use PEM files that belong together", err)
	}
	settings.Certificates = []tls.Certificate{pair}
	return settings, nil
}
