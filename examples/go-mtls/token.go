// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/assertd/assertd/client"
)

// maxResponse limits what is read of a response, in bytes.
const maxResponse = 1 << 20

// getToken authenticates to a token endpoint with a certificate (RFC 8705
// section 2.1), and prints the type of the token.
func getToken(ctx context.Context, signer *client.Signer, request []byte, endpoint, clientID string) error {
	roots, err := trusted(os.Getenv("CA_FILE"))
	if err != nil {
		return err
	}
	enrollment := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	chain, err := enroll(ctx, enrollment, os.Getenv("CERTIFICATE_URL"), request)
	if err != nil {
		return fmt.Errorf("get a certificate: %w", err)
	}
	connection := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: roots, Certificates: []tls.Certificate{signer.CertificateWith(chain...)},
	}}}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {clientID}, "scope": {"read"}}
	text, err := post(ctx, connection, endpoint, "application/x-www-form-urlencoded", []byte(form.Encode()))
	if err != nil {
		return fmt.Errorf("get a token: %w", err)
	}
	var granted struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
	}
	if err := json.Unmarshal(text, &granted); err != nil || granted.AccessToken == "" {
		return fmt.Errorf("get a token: the response has none: %s", text)
	}
	fmt.Printf("got a %s token\n", cmp.Or(granted.TokenType, "bearer"))
	if api := os.Getenv("API_URL"); api != "" {
		// The token is only good on connections with this certificate.
		return get(ctx, connection, api, granted.AccessToken)
	}
	return nil
}

// trusted returns the CAs in a file, or nil for those of the system.
func trusted(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no certificate in PEM", file)
	}
	return roots, nil
}

// enroll sends a certificate request and returns the certificates, the leaf
// first.
func enroll(ctx context.Context, connection *http.Client, address string, request []byte) (chain [][]byte, err error) {
	if address == "" {
		return nil, errors.New("CERTIFICATE_URL is not set; it takes a certificate request")
	}
	body := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request})
	text, err := post(ctx, connection, address, "application/x-pem-file", body)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			chain = append(chain, block.Bytes)
		}
	}
	if chain == nil {
		return nil, errors.New("the response has no certificate in PEM")
	}
	return chain, nil
}

func post(ctx context.Context, connection *http.Client, address, kind string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", kind)
	response, err := connection.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxResponse))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, strings.TrimSpace(string(text)))
	}
	return text, err
}
