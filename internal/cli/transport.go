package cli

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"

	"github.com/assertd/assertd/internal/trustpath"
)

// CACertUsage describes the flag --cacert.
const CACertUsage = "trust only the CA certificates in this PEM `file`, not the system's"

// Transport returns a transport that trusts the CA certificates in a PEM file,
// the value of --cacert, or those of the system if that is empty.
func Transport(cacert string) (*http.Transport, error) {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	if cacert == "" {
		return transport, nil
	}
	text, err := trustpath.ReadRegular(cacert)
	if err != nil {
		return nil, fmt.Errorf("--cacert: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--cacert: %s contains no PEM certificate", cacert)
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return transport, nil
}
