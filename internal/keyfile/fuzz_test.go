package keyfile

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"

	"filippo.io/mldsa"

	"github.com/assertd/assertd/internal/mldsakey"
)

// errAsked stands for a person who knows no passphrase.
var errAsked = errors.New("no passphrase")

// FuzzParse reads what may be a private key. What is accepted can sign, and no
// error contains anything of the file.
func FuzzParse(f *testing.F) {
	for _, seed := range seeds(f) {
		f.Add(seed)
	}
	f.Add([]byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n"))
	f.Add([]byte(`{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"}`))
	f.Add([]byte(`{"kty":"OKP","crv":"Ed25519","x":"","d":""}`))
	f.Add([]byte(`{"name":"n","privateKey":"\u001b[2J"}`))
	f.Add([]byte(`{"privateKey":"x"}`))
	f.Add([]byte("0\x80"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if len(content) > 16<<10 {
			return // only slow
		}
		given := bytes.Clone(content)
		key, err := Parse(content, func() ([]byte, error) { return nil, errAsked })
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, errAsked) || key != nil {
				t.Fatalf("%v, with a key: %v", err, key != nil)
			}
			quotesNothing(t, err.Error(), given)
			return
		}
		if key == nil {
			t.Fatal("no key, and no error")
		}
		defer Wipe(key)
		if public, ok := key.Public().(*rsa.PublicKey); ok && public.N.BitLen() < 1024 {
			return // crypto/rsa does not sign with it
		}
		if public, ok := key.Public().(ed25519.PublicKey); ok {
			if signature, err := key.Sign(nil, given, crypto.Hash(0)); err != nil || !ed25519.Verify(public, given, signature) {
				t.Fatalf("an accepted key signs wrongly: %v", err)
			}
			return
		}
		if public, ok := key.Public().(*mldsa.PublicKey); ok {
			if signature, err := key.Sign(nil, given, crypto.Hash(0)); err != nil || mldsa.Verify(public, given, signature, nil) != nil {
				t.Fatalf("an accepted key signs wrongly: %v", err)
			}
			return
		}
		if _, err := key.Sign(rand.Reader, make([]byte, 32), crypto.SHA256); err != nil {
			t.Fatalf("an accepted key can't sign: %v", err)
		}
	})
}

// quotesNothing checks that an error repeats no line of the file that could be
// a part of a key.
func quotesNothing(t *testing.T, text string, content []byte) {
	t.Helper()
	for line := range strings.FieldsSeq(string(content)) {
		if len(line) > 24 && strings.Contains(text, line) {
			t.Fatalf("the error quotes the file: %s", text)
		}
	}
}

func seeds(f *testing.F) (seeds [][]byte) {
	f.Helper()
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		f.Fatal(err)
	}
	edwards := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	for _, key := range []any{curve, small, edwards} {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			f.Fatal(err)
		}
		seeds = append(seeds, der, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	}
	sec1, err := x509.MarshalECPrivateKey(curve)
	if err != nil {
		f.Fatal(err)
	}
	quantum, err := mldsa.NewPrivateKey(mldsa.MLDSA44(), make([]byte, mldsa.PrivateKeySize))
	if err != nil {
		f.Fatal(err)
	}
	der, err := mldsakey.MarshalPKCS8(quantum)
	if err != nil {
		f.Fatal(err)
	}
	jwk := fmt.Appendf(nil, `{"kty": "AKP", "alg": "ML-DSA-44", "pub": %q, "priv": %q}`,
		base64.RawURLEncoding.EncodeToString(quantum.PublicKey().Bytes()), base64.RawURLEncoding.EncodeToString(quantum.Bytes()))
	return append(seeds, der, jwk,
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}),
		pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(small)}),
		[]byte(base64.StdEncoding.EncodeToString(edwards)))
}
