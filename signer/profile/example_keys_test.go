package profile

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"flag"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

var update = flag.Bool("update", false, "write the golden files and docs/profiles.md")

// moment is the clock of the golden files.
var moment = time.Date(2027, 1, 15, 12, 0, 0, 250e6, time.UTC)

// counting is a source of randomness that counts up: 00 01 02 …
type counting struct{ next byte }

func (c *counting) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = c.next
		c.next++
	}
	return len(p), nil
}

// certificate belongs to the RSA key of the golden files. Its private key no
// longer exists.
func certificate(t testing.TB) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile("testdata/certificate.pem")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// fixedPublic returns a public key for an algorithm, always the same one.
func fixedPublic(t testing.TB, alg string) crypto.PublicKey {
	t.Helper()
	switch alg {
	case "ES256":
		return fixedECDSA(t, elliptic.P256())
	case "ES384":
		return fixedECDSA(t, elliptic.P384())
	case "ES512":
		return fixedECDSA(t, elliptic.P521())
	case "EdDSA", "Ed25519":
		return ed25519.NewKeyFromSeed([]byte(strings.Repeat("s", ed25519.SeedSize))).Public()
	}
	return certificate(t).PublicKey
}

func fixedECDSA(t testing.TB, curve elliptic.Curve) *ecdsa.PublicKey {
	t.Helper()
	scalar := make([]byte, (curve.Params().BitSize+7)/8)
	scalar[len(scalar)-1] = 7
	key, err := ecdsa.ParseRawPrivateKey(curve, scalar)
	if err != nil {
		t.Fatal(err)
	}
	return &key.PublicKey
}

func thumbprint(t testing.TB, key crypto.PublicKey) string {
	t.Helper()
	sum, err := (&jose.JSONWebKey{Key: key}).Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// exampleInput is the row's example with a fixed clock, randomness and key.
func exampleInput(t testing.TB, p *Profile) Input {
	t.Helper()
	in := p.Example.input(p)
	in.Now, in.Random = moment, io.Reader(&counting{})
	in.Public = fixedPublic(t, in.Alg)
	if in.Kid == "" {
		in.Kid = thumbprint(t, in.Public)
	}
	in.Certificates = []*x509.Certificate{certificateFor(t, in.Public)}
	return in
}

// certificateFor stands in for a certificate of a key that has none here.
func certificateFor(t testing.TB, public crypto.PublicKey) *x509.Certificate {
	t.Helper()
	if c := certificate(t); c.PublicKey.(interface{ Equal(crypto.PublicKey) bool }).Equal(public) {
		return c
	}
	return &x509.Certificate{Raw: []byte("DER"), PublicKey: public, NotBefore: moment.AddDate(-1, 0, 0), NotAfter: moment.AddDate(1, 0, 0)}
}

// result is the header and claims that are signed, with the signer's alg and
// kid.
type result struct {
	Header map[string]any `json:"header"`
	Claims map[string]any `json:"claims"`
}

func exampleResult(t testing.TB, p *Profile) result {
	t.Helper()
	in := exampleInput(t, p)
	token, err := p.Build(in)
	if err != nil {
		t.Fatalf("profile %s: %v", p.Name, err)
	}
	token.Header["alg"] = in.Alg
	if kid := p.HeaderKid(in.Kid); kid != "" {
		token.Header["kid"] = kid
	}
	return result{token.Header, token.Claims}
}
