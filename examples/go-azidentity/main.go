// SPDX-License-Identifier: Apache-2.0

// Command go-azidentity shows the callback that Microsoft's libraries take for
// client assertions. This module does not depend on them; with them, write
//
//	getAssertion := c.AssertFunc(ipc.AssertionRequest{Grant: "entra"})
//
//	// azidentity
//	credential, err := azidentity.NewClientAssertionCredential(tenantID, clientID, getAssertion, nil)
//
//	// MSAL
//	credential := confidential.NewCredFromAssertionCallback(
//		func(ctx context.Context, _ confidential.AssertionRequestOptions) (string, error) { return getAssertion(ctx) })
//
// with a grant whose profile is entra-certificate (upload the certificate to
// the application) or entra-federated (the application trusts your issuer's
// JWKS).
//
// Without TOKEN_URL it only gets an assertion. CLIENT_ID and SCOPE are for a
// server other than Entra, such as that of make playground:
//
//	TOKEN_URL=http://127.0.0.1:9410/token CLIENT_ID=playground SCOPE=read go run ./examples/go-azidentity
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/ipc"
)

// maxResponse limits what is read of a response, in bytes.
const maxResponse = 1 << 20

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	c, err := client.New(cmp.Or(os.Getenv("ASSERTD_SOCKET"), client.DefaultSocket))
	if err != nil {
		return err
	}
	defer c.Close()
	getAssertion := c.AssertFunc(ipc.AssertionRequest{})

	endpoint := os.Getenv("TOKEN_URL")
	if endpoint == "" {
		assertion, err := getAssertion(ctx)
		if err != nil {
			return err
		}
		fmt.Printf("got an assertion of %d characters; set TOKEN_URL to trade it for a token\n", len(assertion))
		return nil
	}
	credential := newClientAssertionCredential(endpoint, cmp.Or(os.Getenv("CLIENT_ID"), "example-client"), getAssertion)
	scope := cmp.Or(os.Getenv("SCOPE"), "https://graph.microsoft.com/.default")
	// Whenever the library needs a token, it asks for a fresh assertion.
	for range 2 {
		kind, err := credential.getToken(ctx, scope)
		if err != nil {
			return err
		}
		fmt.Printf("got a %s token\n", kind)
	}
	return nil
}

// clientAssertionCredential stands in for azidentity's type of the same name.
type clientAssertionCredential struct {
	endpoint, clientID string
	getAssertion       func(context.Context) (string, error)
}

func newClientAssertionCredential(endpoint, clientID string, getAssertion func(context.Context) (string, error)) *clientAssertionCredential {
	return &clientAssertionCredential{endpoint, clientID, getAssertion}
}

func (c *clientAssertionCredential) getToken(ctx context.Context, scope string) (kind string, err error) {
	assertion, err := c.getAssertion(ctx)
	if err != nil {
		return "", err
	}
	response, err := http.PostForm(c.endpoint, url.Values{
		"grant_type": {"client_credentials"}, "client_id": {c.clientID}, "scope": {scope},
		"client_assertion_type": {ipc.AssertionType}, "client_assertion": {assertion},
	})
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var answer struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	// What is not JSON has no token either.
	_ = json.NewDecoder(io.LimitReader(response.Body, maxResponse)).Decode(&answer)
	if answer.AccessToken == "" {
		reason := cmp.Or(strings.Trim(answer.Error+": "+answer.Description, ": "), "the response has no access token")
		return "", fmt.Errorf("HTTP %s: %s", response.Status, reason)
	}
	return cmp.Or(answer.TokenType, "bearer"), nil
}
