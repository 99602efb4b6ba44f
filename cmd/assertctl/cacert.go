package main

import (
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
)

// caFlag is a file with the CA certificates to trust for HTTPS; empty for the
// system's.
type caFlag string

func (f *caFlag) register(cmd *cobra.Command) {
	cmd.Flags().StringVar((*string)(f), "cacert", "", cli.CACertUsage)
}

// transport returns a transport that trusts these certificates.
func (f caFlag) transport() (*http.Transport, error) {
	return cli.Transport(string(f))
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
