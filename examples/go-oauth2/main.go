// SPDX-License-Identifier: Apache-2.0

// Command go-oauth2 calls an API through golang.org/x/oauth2, with tokens
// obtained with assertions.
//
//	ASSERTD_SOCKET=.assertd/assertd.sock TOKEN_URL=https://as.example/token go run ./examples/go-oauth2
package main

import (
	"cmp"
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

	"golang.org/x/oauth2"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/client/oauth2source"
	"github.com/assertd/assertd/ipc"
)

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
	endpoint := os.Getenv("TOKEN_URL")
	if endpoint == "" {
		answer, err := c.Assert(ctx, ipc.AssertionRequest{})
		if err != nil {
			return err
		}
		fmt.Printf("got an assertion of grant %s; set TOKEN_URL to trade it for a token\n", answer.Grant)
		return nil
	}
	tokens, err := c.TokenSource(client.TokenRequest{URL: endpoint})
	if err != nil {
		return err
	}
	source := oauth2source.New(ctx, tokens)
	token, err := source.Token()
	if err != nil {
		return err
	}
	fmt.Printf("got a %s token\n", token.Type())
	if api := os.Getenv("API_URL"); api != "" {
		return get(oauth2.NewClient(ctx, source), api)
	}
	return nil
}

// get calls an API. The client adds the token to each request, and gets a new
// one before it expires.
func get(authorized *http.Client, url string) error {
	response, err := authorized.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	fmt.Println("the API returned", response.Status)
	return nil
}
