package client

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/assertd/assertd/ipc"
)

// sourceOf returns a source of tokens of one type, with its own daemon and
// token server.
func sourceOf(t *testing.T, kind string) (*TokenSource, *server) {
	t.Helper()
	as := tokenServer(t, func(n int, w http.ResponseWriter, r *http.Request) {
		answer(w, map[string]any{"access_token": fmt.Sprint("token-", n), "token_type": kind, "expires_in": 600})
	})
	c, _ := numbered(t, ipc.SendClientAssertion)
	req := TokenRequest{URL: as.URL}
	if kind == "DPoP" {
		req.DPoP = "dpop"
	}
	source, err := c.TokenSource(req)
	if err != nil {
		t.Fatal(err)
	}
	return source, as
}

func TestTransportHandlesDPoPNonces(t *testing.T) {
	var seen []string
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		seen = append(seen, r.Header.Get("Authorization")+" "+r.Header.Get("DPoP")+" "+string(body))
		if !strings.Contains(r.Header.Get("DPoP"), `"n1"`) {
			w.Header().Set("DPoP-Nonce", "n1")
			w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer api.Close()
	source, _ := sourceOf(t, "DPoP")
	transport, err := source.Transport(api.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		response, err := (&http.Client{Transport: transport}).Post(api.URL+"/a?b=c", "text/plain", strings.NewReader("body"))
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("got %v, %v", response, err)
		}
		response.Body.Close()
	}
	digest := sha256.Sum256([]byte("token-1"))
	want := `DPoP token-1 proof."POST""` + api.URL + `/a""n1""` + base64.RawURLEncoding.EncodeToString(digest[:]) + `" body`
	if len(seen) != 3 || seen[1] != want || seen[2] != want {
		t.Errorf("the API saw\n%s\nwant the last two to be\n%s", strings.Join(seen, "\n"), want)
	}
}

func TestTransportForgetsAnInvalidToken(t *testing.T) {
	var seen []string
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"))
		if len(seen) == 1 {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer api.Close()
	source, _ := sourceOf(t, "Bearer")
	transport, err := source.Transport(api.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		response, err := (&http.Client{Transport: transport}).Get(api.URL)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}
	if got := strings.Join(seen, ", "); got != "Bearer token-1, Bearer token-2, Bearer token-2" {
		t.Errorf("the API saw %s", got)
	}
}

func TestTransportRefusesOtherOrigins(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("the other origin was asked, with %s", r.Header.Get("Authorization"))
	}))
	defer other.Close()
	api := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusFound))
	defer api.Close()
	source, _ := sourceOf(t, "Bearer")
	transport, err := source.Transport(api.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&http.Client{Transport: transport}).Get(api.URL); err == nil || !strings.Contains(err.Error(), "only for") {
		t.Errorf("got %v", err)
	}
	if _, err := source.Transport("http://api.example", nil); err == nil {
		t.Error("plain http was accepted")
	}
}
