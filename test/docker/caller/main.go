// Command caller is the Go microservice of the compose scenario. It gets an
// assertion from the daemon and verifies it with the published keys, as an
// authorization server would.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/ipc"
)

func main() {
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	if err := run(ctx, os.Getenv("ASSERTD_SOCKET"), os.Getenv("JWKS_URL")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, socket, keysURL string) error {
	daemon, err := client.New(socket)
	if err != nil {
		return err
	}
	answer, err := daemon.Assert(ctx, ipc.AssertionRequest{})
	if err != nil {
		return err
	}
	keys, err := publishedKeys(ctx, keysURL)
	if err != nil {
		return err
	}
	token, err := jwt.ParseSigned(answer.Assertion, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return err
	}
	var claims jwt.Claims
	if err := token.Claims(keys, &claims); err != nil {
		return err
	}
	if err := claims.Validate(jwt.Expected{AnyAudience: jwt.Audience{"https://as.example"}, Time: time.Now()}); err != nil {
		return err
	}
	fmt.Printf("verified: %s may authenticate with key %s until %s\n", claims.Subject, answer.Kid, claims.Expiry.Time().UTC().Format(time.RFC3339))
	return nil
}

func publishedKeys(ctx context.Context, url string) (*jose.JSONWebKeySet, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, response.Status)
	}
	var keys jose.JSONWebKeySet
	return &keys, json.NewDecoder(response.Body).Decode(&keys)
}
