package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/ipc"
)

// batchSize is the number of assertions in a "batch".
const batchSize = 32

// loadSocket plays the callers: the client package over the daemon's socket.
func loadSocket(env) (prepare, error) {
	return func(t task) (operation, error) {
		c, err := client.New(t.Socket)
		if err != nil {
			return nil, err
		}
		ctx := context.Background()
		request := ipc.AssertionRequest{Grant: setOf(t.Alg)}
		switch t.Do {
		case "grants":
			return func() (int, error) { _, err := c.Grants(ctx); return 1, err }, nil
		case "batch":
			return func() (int, error) { return batch(ctx, c, request) }, nil
		}
		return func() (int, error) { _, err := c.Assert(ctx, request); return 1, err }, checkOne(ctx, c, request)
	}, nil
}

func batch(ctx context.Context, c *client.Client, request ipc.AssertionRequest) (int, error) {
	requests := make([]ipc.AssertionRequest, batchSize)
	for i := range requests {
		requests[i] = request
	}
	results, err := c.AssertBatch(ctx, requests)
	for _, r := range results {
		if r.Problem != nil {
			return 0, r.Problem
		}
	}
	return len(results), err
}

// checkOne makes sure that the daemon issues what the benchmark is meant to
// measure: an assertion that the published keys verify.
func checkOne(ctx context.Context, c *client.Client, request ipc.AssertionRequest) error {
	answer, err := c.Assert(ctx, request)
	if err != nil {
		return err
	}
	document, err := c.JWKS(ctx)
	if err != nil {
		return err
	}
	var keys gojose.JSONWebKeySet
	if err := json.Unmarshal(document, &keys); err != nil {
		return err
	}
	jws, err := gojose.ParseSignedCompact(answer.Assertion, []gojose.SignatureAlgorithm{gojose.SignatureAlgorithm(answer.Alg)})
	if err != nil {
		return err
	}
	matching := keys.Key(answer.Kid)
	if len(matching) != 1 {
		return fmt.Errorf("%d published keys have the kid of the assertion, want 1", len(matching))
	}
	_, err = jws.Verify(matching[0])
	return err
}

// verification verifies a signature with the standard library. The front can't
// do less for an assertion.
func verification(env) (prepare, error) {
	return func(t task) (operation, error) {
		key, err := softwareKey(t.Alg)
		if err != nil {
			return nil, err
		}
		digest, opts := inputOf(t.Alg)
		signature, err := key.Sign(rand.Reader, digest, opts)
		return func() (int, error) { return 1, jose.Verify(key.Public(), digest, opts, signature) }, err
	}, nil
}

func softwareKey(alg string) (crypto.Signer, error) {
	switch alg {
	case "RS256":
		return rsa.GenerateKey(rand.Reader, 2048)
	case "EdDSA":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}
