package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"time"

	"github.com/assertd/assertd/internal/trustpath"
	"github.com/spf13/cobra"
)

// caFlag is a file with the CA certificates to trust for HTTPS; empty for the
// system's.
type caFlag string

func (f *caFlag) register(cmd *cobra.Command) {
	cmd.Flags().StringVar((*string)(f), "cacert", "", "trust only the CA certificates in this PEM `file`, not the system's")
}

// transport returns a transport that trusts these certificates.
func (f caFlag) transport() (*http.Transport, error) {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	if f == "" {
		return transport, nil
	}
	text, err := trustpath.ReadRegular(string(f))
	if err != nil {
		return nil, fmt.Errorf("--cacert: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--cacert: %s contains no PEM certificate", f)
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return transport, nil
}

// client returns a client that trusts these certificates and follows no
// redirect, or nil for the SDK's own.
func (f caFlag) client() (*http.Client, error) {
	if f == "" {
		return nil, nil
	}
	transport, err := f.transport()
	return &http.Client{
		Transport: transport, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, err
}
