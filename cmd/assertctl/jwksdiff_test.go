package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assertd/assertd/jwks"
)

func newJWK(t *testing.T) jwks.Key {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	kid, err := jwks.Thumbprint(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return jwks.Key{Kid: kid, Alg: "ES256", Public: private.Public()}
}

func setFile(t *testing.T, keys ...jwks.Key) string {
	t.Helper()
	set, err := jwks.NewSet(keys)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(path, set.JSON(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestJWKSDiffFile(t *testing.T) {
	old, now, next := newJWK(t), newJWK(t), newJWK(t)
	ours := setFile(t, now, next)
	code, stdout, stderr := tool(t, "jwks", "diff", "--jwks", ours, setFile(t, old, now))
	if code != exitFailure || !strings.Contains(stdout, "missing  "+next.Kid) || !strings.Contains(stdout, "extra    "+old.Kid) || !strings.Contains(stderr, "cannot verify") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	code, stdout, _ = tool(t, "jwks", "diff", "--jwks", ours, setFile(t, old, now, next), "--output", "json")
	var difference jwks.Difference
	if err := json.Unmarshal([]byte(stdout), &difference); err != nil || code != 0 || difference.Same != 2 || len(difference.Findings) != 1 {
		t.Errorf("exit code %d, %v\n%s", code, err, stdout)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr = tool(t, "jwks", "diff", "--jwks", ours, empty); code != exitFailure || !strings.Contains(stderr, empty+": not a JWK set") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
}

func TestJWKSDiffURL(t *testing.T) {
	key := newJWK(t)
	ours := setFile(t, key)
	document, err := os.ReadFile(ours)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	serve := func(path, kind string, status int, body []byte) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = w.Write(body)
		})
	}
	serve("/good", "application/jwk-set+json; charset=utf-8", 200, document)
	serve("/html", "text/html", 200, document)
	serve("/gone", "application/json", 410, nil)
	serve("/large", "application/json", 200, make([]byte, jwks.MaxDocument+10))
	serve("/private", "application/json", 200, []byte(`{"keys":[{"kty":"oct","k":"AAAA"}]}`))
	mux.Handle("/moved", http.RedirectHandler("/good", http.StatusFound))
	server := httptest.NewTLSServer(mux)
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/good": "", "/html": "Content-Type", "/gone": "410 Gone", "/large": "the maximum is", "/private": "private key material", "/moved": "redirects to /good",
	} {
		code, _, stderr := tool(t, "jwks", "diff", server.URL+path, "--jwks", ours, "--cacert", ca)
		if (code == 0) != (want == "") || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, %s", path, code, stderr)
		}
	}
	if code, _, stderr := tool(t, "jwks", "diff", server.URL+"/good", "--jwks", ours); code != exitFailure || !strings.Contains(stderr, "certificate") {
		t.Errorf("without --ca: exit code %d, %s", code, stderr)
	}
}
