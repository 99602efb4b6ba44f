package keyset

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/trustpath"
	"github.com/assertd/assertd/jwks"
)

func publicPEM(t *testing.T, public crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func readPublic(t *testing.T, text []byte) ([]jwks.Key, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sa.pub")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return ReadPublicKeys(trustpath.Rules{}, path)
}

// apiserverKey is a public key with the kid that kube-apiserver gives it: the
// unpadded base64url of the SHA-256 of its DER, as openssl and coreutils
// compute it.
const (
	apiserverKey = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEJ11BsiMdOo32K4zxxogmYtEkLxzK
sg2rrVIyPHx5KzhHKgoN8XipVyD9EN/xhyehg48Y4NsFwp5MSy32Hjxw1A==
-----END PUBLIC KEY-----
`
	apiserverKid = "4Os9Q7bsfvhIrX8Uvoy79MVzsbyKPl2ipk9jcwxYgZs"
)

func TestKubernetesKid(t *testing.T) {
	keys, err := readPublic(t, []byte(apiserverKey))
	if err != nil || len(keys) != 1 || keys[0].Kid != apiserverKid || keys[0].Alg != "ES256" {
		t.Errorf("got %+v, %v, want kid %s", keys, err, apiserverKid)
	}
}

func TestReadPublicKeysRefuses(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"nothing":            nil,
		"no PEM":             []byte("sa.pub"),
		"a private key":      pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}),
		"a certificate":      pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: private}),
		"P-224":              publicPEM(t, key.Public()),
		"Ed25519":            publicPEM(t, edwards),
		"a key twice":        []byte(apiserverKey + apiserverKey),
		"text after the key": []byte(apiserverKey + "x"),
		"a damaged key":      pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")}),
	} {
		if keys, err := readPublic(t, text); !errors.Is(err, ErrPublicKeys) {
			t.Errorf("%s: got %v, %v", name, keys, err)
		}
	}
}

// TestStaticKeysEnd checks that a key of also_publish is published until its
// end and no longer, and that the content is renewed then.
func TestStaticKeysEnd(t *testing.T) {
	keys, err := readPublic(t, []byte(apiserverKey))
	if err != nil {
		t.Fatal(err)
	}
	end := time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)
	issuer := Issuer{URL: "https://id.example.com/prod", Set: "cluster", Static: []StaticKey{{keys[0], end}}}
	now := end.Add(-time.Second)
	ring := New([]Set{{Name: "cluster", Alg: "ES256", Kubernetes: true}}, Holdings{}, nil, func() time.Time { return now })
	if set, next, err := ring.IssuerKeys(issuer); err != nil || set.Len() != 1 || !next.Equal(end) {
		t.Errorf("before the end: %d keys until %s, %v", set.Len(), next, err)
	}
	content, err := ring.Content(Documents{Issuers: []Issuer{issuer}})
	if err != nil || content.Issuers[issuer.URL].Len() != 1 || content.Set.Len() != 0 || !content.NextChange.Equal(end) {
		t.Errorf("got %+v, %v", content, err)
	}
	now = end
	if set, next, err := ring.IssuerKeys(issuer); err != nil || set.Len() != 0 || !next.IsZero() {
		t.Errorf("at the end: %d keys until %s, %v", set.Len(), next, err)
	}
	unread := New([]Set{{Name: "cluster", Alg: "ES256", Kubernetes: true}}, Holdings{Unread: []string{"t"}}, nil, func() time.Time { return now })
	if _, _, err := unread.IssuerKeys(issuer); !errors.Is(err, ErrUnread) {
		t.Errorf("with a token that was not read: %v", err)
	}
}

// A version of a key set for Kubernetes has the kid that kube-apiserver looks
// for if it has the key in a file. If also_publish has the key too, it is
// published once, and revoking the version takes it out.
func TestKubernetesVersionHasTheKidOfAFile(t *testing.T) {
	keys, err := readPublic(t, []byte(apiserverKey))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)
	issuer := Issuer{URL: "https://id.example.com/prod", Set: "cluster", Static: []StaticKey{{keys[0], now.AddDate(1, 0, 0)}}}
	pairs := []Pair{{Label: Label("cluster", now.Add(-time.Hour)), Public: keys[0].Public}}
	for _, test := range []struct {
		revoke    []string
		published int
	}{{nil, 1}, {[]string{apiserverKid}, 0}} {
		set := Set{Name: "cluster", Alg: "ES256", Kubernetes: true, Rotation: Rotation{Revoke: test.revoke}}
		ring := New([]Set{set}, Holdings{Pairs: pairs}, nil, func() time.Time { return now })
		if _, ok := ring.Key("cluster", apiserverKid); !ok || !ring.Kids()[apiserverKid] {
			t.Errorf("no version has the kid %s", apiserverKid)
		}
		if published, _, err := ring.IssuerKeys(issuer); err != nil || published.Len() != test.published {
			t.Errorf("revoked %v: %d keys are published, want %d: %v", test.revoke, published.Len(), test.published, err)
		}
	}
}
