package client_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/ipc"
)

// standIn starts a stand-in for the daemon, so that the examples run anywhere.
func standIn() (socket string, stop func()) {
	dir, err := os.MkdirTemp("", "assertd-example-")
	if err != nil {
		panic(err)
	}
	socket = filepath.Join(dir, "assertd.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		panic(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: standInFor(key)}}
	server.Start()
	return socket, func() { server.Close(); os.RemoveAll(dir) }
}

func standInFor(key *ecdsa.PrivateKey) http.Handler {
	write := func(w http.ResponseWriter, status int, v any) {
		w.WriteHeader(status)
		if err := json.NewEncoder(w).Encode(v); err != nil {
			panic(err)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/assertions", func(w http.ResponseWriter, r *http.Request) {
		var req ipc.AssertionRequest
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil || req.Audience == "https://evil.example" {
			write(w, http.StatusForbidden, ipc.NewProblem(ipc.CodeAudienceNotAllowed, `grant "example" does not allow audience "https://evil.example"`))
			return
		}
		now := time.Now().Unix()
		write(w, http.StatusOK, ipc.AssertionResponse{Assertion: "header.claims.signature", AssertionType: ipc.AssertionType,
			Send: ipc.SendClientAssertion, Alg: "ES256", IssuedAt: now, ExpiresAt: now + 60, Grant: "example"})
	})
	mux.HandleFunc("GET /v1/keys", func(w http.ResponseWriter, r *http.Request) {
		der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
		if err != nil {
			panic(err)
		}
		write(w, http.StatusOK, ipc.KeysResponse{Keys: []ipc.KeyInfo{{Key: "mtls", Kid: "k", Alg: "ES256", Hashes: []string{ipc.HashSHA256},
			PublicKey: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}}})
	})
	mux.HandleFunc("POST /v1/sign", func(w http.ResponseWriter, r *http.Request) {
		var req ipc.SignRequest
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
			panic(err)
		}
		signature, err := key.Sign(rand.Reader, req.Digest, crypto.SHA256)
		if err != nil {
			panic(err)
		}
		write(w, http.StatusOK, ipc.SignResponse{Signature: signature, Kid: "k"})
	})
	return mux
}

func ExampleClient_Assert() {
	socket, stop := standIn() // use client.DefaultSocket
	defer stop()
	c, err := client.New(socket)
	if err != nil {
		panic(err)
	}
	defer c.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	answer, err := c.Assert(ctx, ipc.AssertionRequest{Audience: "https://as.example"})
	if err != nil {
		panic(err)
	}
	fmt.Println(answer.AssertionType)
	fmt.Println(answer.Alg, "for", answer.ExpiresAt-answer.IssuedAt, "seconds")
	// Output:
	// urn:ietf:params:oauth:client-assertion-type:jwt-bearer
	// ES256 for 60 seconds
}

func ExampleClient_Assert_refused() {
	socket, stop := standIn()
	defer stop()
	c, err := client.New(socket)
	if err != nil {
		panic(err)
	}
	defer c.Close()

	_, err = c.Assert(context.Background(), ipc.AssertionRequest{Audience: "https://evil.example"})
	switch {
	case errors.Is(err, ipc.CodeAudienceNotAllowed):
		fmt.Println("denied by policy:", err)
	case errors.Is(err, ipc.CodeRateLimited):
		fmt.Println("retry later")
	case errors.Is(err, client.ErrUnavailable):
		fmt.Println("no daemon")
	}
	// Output:
	// denied by policy: The audience is not allowed: grant "example" does not allow audience "https://evil.example"
}

func ExampleClient_TokenSource() {
	socket, stop := standIn()
	defer stop()
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("token request:", r.FormValue("grant_type"), "with", r.FormValue("client_assertion_type"))
		fmt.Fprint(w, `{"access_token":"secret","token_type":"Bearer","expires_in":3600}`)
	}))
	defer tokens.Close()

	c, err := client.New(socket)
	if err != nil {
		panic(err)
	}
	defer c.Close()
	source, err := c.TokenSource(client.TokenRequest{URL: tokens.URL, Scope: "read"})
	if err != nil {
		panic(err)
	}
	for range 2 { // the second token comes from the cache
		token, err := source.Token(context.Background())
		if err != nil {
			panic(err)
		}
		fmt.Println("got a", token.TokenType, "token")
	}
	// Output:
	// token request: client_credentials with urn:ietf:params:oauth:client-assertion-type:jwt-bearer
	// got a Bearer token
	// got a Bearer token
}

func ExampleClient_Signer() {
	socket, stop := standIn()
	defer stop()
	c, err := client.New(socket)
	if err != nil {
		panic(err)
	}
	defer c.Close()

	signer, err := c.Signer(context.Background(), "mtls")
	if err != nil {
		panic(err)
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{"payments.example"}}, signer)
	if err != nil {
		panic(err)
	}
	parsed, err := x509.ParseCertificateRequest(request)
	if err != nil {
		panic(err)
	}
	fmt.Println("certificate request for", parsed.DNSNames, "verifies:", parsed.CheckSignature() == nil)

	digest := sha256.Sum256([]byte("anything"))
	signature, err := signer.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		panic(err)
	}
	fmt.Println("signature verifies:", ecdsa.VerifyASN1(signer.Public().(*ecdsa.PublicKey), digest[:], signature))
	// Output:
	// certificate request for [payments.example] verifies: true
	// signature verifies: true
}

func ExampleClient_AssertFunc() {
	socket, stop := standIn()
	defer stop()
	c, err := client.New(socket)
	if err != nil {
		panic(err)
	}
	defer c.Close()

	// azidentity.NewClientAssertionCredential(tenant, clientID, callback, nil)
	callback := c.AssertFunc(ipc.AssertionRequest{Grant: "entra"})
	assertion, err := callback(context.Background())
	fmt.Println(assertion != "", err)
	// Output: true <nil>
}
