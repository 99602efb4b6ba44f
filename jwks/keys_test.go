package jwks

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"sync"
	"testing"
	"time"
)

// testKeys are made once: RSA keys take their time.
var testKeys = sync.OnceValue(func() (keys struct {
	p256, p384, p521 *ecdsa.PrivateKey
	rsa              *rsa.PrivateKey
	ed25519          ed25519.PrivateKey
}) {
	keys.p256, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	keys.p384, _ = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	keys.p521, _ = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	keys.rsa, _ = rsa.GenerateKey(rand.Reader, 2048)
	_, keys.ed25519, _ = ed25519.GenerateKey(rand.Reader)
	return keys
})

// oneOfEach is a key of each kind, with its thumbprint as kid.
func oneOfEach(t testing.TB) []Key {
	t.Helper()
	k := testKeys()
	return []Key{
		namedKey(t, "ES256", k.p256.Public()), namedKey(t, "ES384", k.p384.Public()), namedKey(t, "ES512", k.p521.Public()),
		namedKey(t, "PS256", k.rsa.Public()), namedKey(t, "EdDSA", k.ed25519.Public()),
	}
}

func namedKey(t testing.TB, alg string, public crypto.PublicKey) Key {
	t.Helper()
	kid, err := Thumbprint(public)
	if err != nil {
		t.Fatal(err)
	}
	return Key{Kid: kid, Alg: alg, Public: public}
}

func newKey(t testing.TB) (*ecdsa.PrivateKey, Key) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return private, namedKey(t, "ES256", private.Public())
}

func mustSet(t testing.TB, keys ...Key) Set {
	t.Helper()
	set, err := NewSet(keys)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func mustParse(t testing.TB, document string) Set {
	t.Helper()
	set, err := ParseSet([]byte(document))
	if err != nil {
		t.Fatalf("%v in %s", err, document)
	}
	return set
}

// authority is a certificate authority for a test.
type authority struct {
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

func newAuthority(t testing.TB) authority {
	t.Helper()
	key, _ := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test root"},
		NotBefore: day(0), NotAfter: day(3650), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	return authority{key, issue(t, template, template, key.Public(), key)}
}

func (a authority) issue(t testing.TB, name string, public crypto.PublicKey) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"},
		NotBefore: day(10), NotAfter: day(100), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	return issue(t, template, a.certificate, public, a.key)
}

func issue(t testing.TB, template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// day is a moment, counted in days from the beginning of the tests' calendar.
func day(n float64) time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n * float64(24*time.Hour))).Round(time.Second)
}
