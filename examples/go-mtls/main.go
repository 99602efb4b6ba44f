// SPDX-License-Identifier: Apache-2.0

// Command go-mtls connects with mutual TLS and a client key that never leaves
// the HSM. It creates a certificate request, gets a certificate, and presents
// it to a server. The CA and the server stand in for yours.
//
//	ASSERTD_SOCKET=.assertd/assertd.sock go run ./examples/go-mtls [key set]
//
// With TOKEN_URL it gets an access token with its certificate, from a server
// such as that of make playground, which prints the whole command. CLIENT_ID is
// then the certificate's common name, CERTIFICATE_URL issues it, and CA_FILE
// has the servers' CA.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/assertd/assertd/client"
)

func main() {
	key := "dev-raw"
	if len(os.Args) > 1 {
		key = os.Args[1]
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := run(ctx, key); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, key string) error {
	c, err := client.New(cmp.Or(os.Getenv("ASSERTD_SOCKET"), client.DefaultSocket))
	if err != nil {
		return err
	}
	defer c.Close()
	signer, err := c.Signer(ctx, key)
	if err != nil {
		return err
	}
	name := cmp.Or(os.Getenv("CLIENT_ID"), "payments")
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: name},
	}, signer)
	if err != nil {
		return err
	}
	if endpoint := os.Getenv("TOKEN_URL"); endpoint != "" {
		return getToken(ctx, signer, request, endpoint, name)
	}
	return tryConnection(ctx, signer, request)
}

// tryConnection connects to a server that stands in for yours, with a
// certificate of a CA that does too.
func tryConnection(ctx context.Context, signer *client.Signer, request []byte) error {
	ca, err := newAuthority()
	if err != nil {
		return err
	}
	leaf, err := ca.sign(request)
	if err != nil {
		return err
	}
	server := ca.startServer()
	defer server.Close()

	// Once it has its certificate, a program needs only this.
	connection := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		Certificates: []tls.Certificate{signer.CertificateWith(leaf)},
		RootCAs:      server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs,
	}}}
	return get(ctx, connection, server.URL, "")
}

// get prints what a server answers. It sends the access token unless it is
// empty.
func get(ctx context.Context, connection *http.Client, url, accessToken string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	if accessToken != "" {
		request.Header.Set("Authorization", "Bearer "+accessToken)
	}
	response, err := connection.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	fmt.Printf("%s", text)
	return nil
}
