package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assertd/assertd/jwks"
)

// setWith makes a JWKS with a new key.
func setWith(t *testing.T) jwks.Set {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	kid, err := jwks.Thumbprint(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	set, err := jwks.NewSet([]jwks.Key{{Kid: kid, Alg: "ES256", Public: private.Public()}})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// A merge has the keys of all hosts. If one of them does not answer, its keys
// don't vanish from the file that receivers read.
func TestJWKSMerge(t *testing.T) {
	one, two := setWith(t), setWith(t)
	dir := t.TempDir()
	first, merged := filepath.Join(dir, "one.json"), filepath.Join(dir, "merged.json")
	if err := os.WriteFile(first, one.JSON(), 0o600); err != nil {
		t.Fatal(err)
	}
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		_, _ = w.Write(two.JSON())
	}))
	defer host.Close()
	merge := func(args ...string) (int, string, string) {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), append([]string{"jwks", "merge"}, args...), strings.NewReader(""), &stdout, &stderr)
		return code, stdout.String(), stderr.String()
	}
	want, err := jwks.Merge(one, two)
	if err != nil || want.Len() != 2 {
		t.Fatal(err)
	}
	if code, stdout, stderr := merge(first, host.URL); code != 0 || stdout != string(want.JSON())+"\n" {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
	if code, _, stderr := merge(first, host.URL, "--file", merged); code != 0 {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	host.Close()
	if code, _, stderr := merge(first, host.URL, "--file", merged); code == 0 || !strings.Contains(stderr, host.URL) {
		t.Errorf("without a host: exit code %d, %s", code, stderr)
	}
	file, err := os.Open(merged)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	content, err := io.ReadAll(file)
	if info, _ := file.Stat(); err != nil || string(content) != string(want.JSON()) || info.Mode().Perm() != 0o644 {
		t.Errorf("the file has %s, %v, %v", content, info.Mode(), err)
	}
	if code, _, _ := merge(); code != exitUsage {
		t.Errorf("without sets: exit code %d", code)
	}
}
