package oauth2source_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"

	"golang.org/x/oauth2"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/client/oauth2source"
	"github.com/assertd/assertd/ipc"
)

// daemon returns an assertion for every request, and counts them.
func daemon(t *testing.T, asked *atomic.Int64) *client.Client {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(ipc.AssertionResponse{Assertion: fmt.Sprint("a", asked.Add(1)), AssertionType: ipc.AssertionType, Send: ipc.SendClientAssertion})
	})}}
	server.Start()
	t.Cleanup(server.Close)
	c, err := client.New(socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestSourceWorksWithHTTPClient(t *testing.T) {
	as := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"access_token":"secret","token_type":"Bearer","expires_in":3600,"tenant":"t"}`)
	}))
	defer as.Close()
	var authorization string
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { authorization = r.Header.Get("Authorization") }))
	defer api.Close()
	var asked atomic.Int64
	tokens, err := daemon(t, &asked).TokenSource(client.TokenRequest{URL: as.URL})
	if err != nil {
		t.Fatal(err)
	}
	source := oauth2source.New(t.Context(), tokens)
	for range 3 {
		response, err := oauth2.NewClient(t.Context(), source).Get(api.URL)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}
	if authorization != "Bearer secret" || asked.Load() != 1 {
		t.Errorf("the API saw %q, the daemon was asked %d times", authorization, asked.Load())
	}
	token, err := source.Token()
	if err != nil || token.Extra("tenant") != "t" || !token.Valid() {
		t.Errorf("got %v, %v", token, err)
	}
}

func TestSourcePreservesErrors(t *testing.T) {
	as := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"error":"invalid_client"}`)
	}))
	defer as.Close()
	var asked atomic.Int64
	tokens, err := daemon(t, &asked).TokenSource(client.TokenRequest{URL: as.URL})
	if err != nil {
		t.Fatal(err)
	}
	var failed *client.TokenError
	if _, err := oauth2source.New(t.Context(), tokens).Token(); !errors.As(err, &failed) || failed.Code != "invalid_client" {
		t.Errorf("got %v", err)
	}
}
