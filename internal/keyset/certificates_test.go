package keyset_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/jwks"
)

// authority issues certificates; the zero one signs its own.
type authority struct {
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

func newAuthority(t *testing.T, name string, issuer *authority) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key}
	if issuer == nil {
		issuer = a
	}
	a.certificate = issuer.issue(t, name, key.Public(), noon.AddDate(5, 0, 0))
	return a
}

// issue certifies a key; names that begin with "CA" may issue others.
func (a *authority) issue(t *testing.T, name string, public crypto.PublicKey, end time.Time) *x509.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: noon.AddDate(-1, 0, 0), NotAfter: end,
		IsCA: strings.HasPrefix(name, "CA"), BasicConstraintsValid: true,
	}
	parent := a.certificate
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, a.key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func names(chain []*x509.Certificate) string {
	var all []string
	for _, c := range chain {
		all = append(all, c.Subject.CommonName)
	}
	return strings.Join(all, " < ")
}

func TestChain(t *testing.T) {
	key := pair(t, "a", elliptic.P256())
	root := newAuthority(t, "CA root", nil)
	middle := newAuthority(t, "CA middle", root)
	stranger := newAuthority(t, "CA root", nil)
	old := middle.issue(t, "old", key.Public, noon.AddDate(0, 1, 0))
	leaf := middle.issue(t, "leaf", key.Public, noon.AddDate(1, 0, 0))
	other := root.issue(t, "other", pair(t, "b", elliptic.P256()).Public, noon.AddDate(1, 0, 0))
	for _, test := range []struct {
		name string
		have []*x509.Certificate
		want string
	}{
		{"none", nil, ""},
		{"for another key", []*x509.Certificate{other, root.certificate}, ""},
		{"alone", []*x509.Certificate{leaf}, "leaf"},
		{"in any order", []*x509.Certificate{root.certificate, other, leaf, middle.certificate}, "leaf < CA middle < CA root"},
		{"the one that ends last", []*x509.Certificate{old, leaf}, "leaf"},
		{"a namesake of an issuer", []*x509.Certificate{leaf, middle.certificate, stranger.certificate}, "leaf < CA middle"},
	} {
		if got := names(keyset.Chain(key.Public, test.have)); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestCertificateFile(t *testing.T) {
	first := pair(t, keyset.Label("payments", noon), elliptic.P256())
	second := pair(t, keyset.Label("payments", noon.Add(time.Hour)), elliptic.P256())
	ca := newAuthority(t, "CA", nil)
	set := payments()
	set.Certificates = []*x509.Certificate{ca.issue(t, "filed", first.Public, noon.AddDate(1, 0, 0)), ca.certificate}
	first.Certificates = []*x509.Certificate{ca.issue(t, "on the token", first.Public, noon.AddDate(2, 0, 0))}
	second.Certificates = []*x509.Certificate{ca.certificate, ca.issue(t, "token's", second.Public, noon.AddDate(0, 0, 5))}
	ring := keyset.New([]keyset.Set{set}, keyset.Holdings{Pairs: []keyset.Pair{first, second}}, nil, at(noon.Add(time.Hour)))
	keys, _ := ring.Published("payments")
	if len(keys) != 2 || names(keys[0].Certificates) != "filed < CA" || names(keys[1].Certificates) != "token's < CA" {
		t.Errorf("published with %q and %q", names(keys[0].Certificates), names(keys[1].Certificates))
	}
	if _, err := jwks.NewSet(keys); err != nil {
		t.Error(err)
	}
	if warnings := ring.Certificates(7 * 24 * time.Hour); len(warnings) != 1 || !strings.Contains(warnings[0].Error(), "expires at 2026-11-07T12:00:00Z") {
		t.Errorf("warnings %v, want the one that expires within a week", warnings)
	}
}

func TestExpiredCertificateIsTold(t *testing.T) {
	key := pair(t, keyset.Label("payments", noon), elliptic.P256())
	key.Certificates = []*x509.Certificate{newAuthority(t, "CA", nil).issue(t, "gone", key.Public, noon.Add(-time.Hour))}
	ring := keyset.New([]keyset.Set{payments()}, keyset.Holdings{Pairs: []keyset.Pair{key}}, nil, at(noon))
	if warnings := ring.Certificates(0); len(warnings) != 1 || !errors.Is(warnings[0], jwks.ErrCertificateExpired) {
		t.Errorf("warnings %v, want ErrCertificateExpired", warnings)
	}
}

func TestFileForAnotherKey(t *testing.T) {
	set := payments()
	set.Certificates = []*x509.Certificate{newAuthority(t, "CA", nil).certificate}
	held := keyset.Holdings{Pairs: []keyset.Pair{pair(t, keyset.Label("payments", noon), elliptic.P256())}}
	ring := keyset.New([]keyset.Set{set}, held, nil, at(noon))
	err := errors.Join(ring.Problems("payments")...)
	if _, none := ring.SigningKey("payments"); !errors.Is(none, keyset.ErrNoKey) {
		t.Errorf("the set signs: %v", none)
	}
	if !errors.Is(err, keyset.ErrKey) || !errors.Is(err, jwks.ErrCertificateKey) {
		t.Errorf("error %v, want ErrCertificateKey", err)
	}
	if problems := keyset.New([]keyset.Set{set}, keyset.Holdings{}, nil, at(noon)).Problems("payments"); len(problems) > 0 {
		t.Errorf("without a key to hold it against: %v", problems)
	}
}

func TestParseCertificates(t *testing.T) {
	certificate := newAuthority(t, "CA", nil).certificate
	good := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}})
	for _, test := range []struct {
		name string
		text []byte
		want int
	}{
		{"PEM", bytes.Repeat(good, 3), 3},
		{"DER", certificate.Raw, 1},
		{"empty", nil, 0},
		{"a private key beside it", append(bytes.Clone(good), private...), 0},
		{"text after it", append(bytes.Clone(good), "and so on"...), 0},
		{"no certificate inside", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}}), 0},
	} {
		got, err := keyset.ParseCertificates(test.text)
		if len(got) != test.want || (err == nil) != (test.want > 0) || (err != nil && !errors.Is(err, keyset.ErrCertificates)) {
			t.Errorf("%s: %d certificates, %v", test.name, len(got), err)
		}
	}
}

func TestFromConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "chain.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: newAuthority(t, "CA", nil).certificate.Raw})
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	configuration := func(path string) *config.Config {
		c, err := config.Parse("test.yaml", []byte(`hsm: {module: /m, token: {label: t}, pin: {file: /p}}
keys:
  old: {alg: ES256, use: raw, label: legacy, id: 0A0b, created: 2026-01-31T12:00:00Z}
  payments: {alg: PS256, use: assertion, certificate: `+path+`, rotation: {every: 90d}}
audit: {required: false}
`))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	sets, err := configuration(file).KeySets(keyset.ReadCertificates)
	if err != nil || len(sets) != 2 {
		t.Fatalf("%d sets, %v", len(sets), err)
	}
	old, payments := sets[0], sets[1]
	if !old.Raw || old.Label != "legacy" || !bytes.Equal(old.ID, []byte{10, 11}) || old.Created.Year() != 2026 {
		t.Errorf("adopted set %+v", old)
	}
	if payments.Raw || payments.Alg != "PS256" || len(payments.Certificates) != 1 || payments.Rotation.Every != 90*24*time.Hour {
		t.Errorf("set %+v", payments)
	}
	if _, err := configuration(file + "x").KeySets(keyset.ReadCertificates); err == nil || !strings.Contains(err.Error(), "keys.payments.certificate") {
		t.Errorf("a file that isn't there: %v", err)
	}
}

func TestWeakAndContradictory(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	set := keyset.Set{Name: "payments", Alg: "RS256"}
	problem := func(pairs ...keyset.Pair) error {
		return errors.Join(keyset.New([]keyset.Set{set}, keyset.Holdings{Pairs: pairs}, nil, at(noon)).Problems("payments")...)
	}
	if err := problem(pairOf(t, keyset.Label("payments", noon), weak.Public())); !errors.Is(err, jwks.ErrWeakKey) {
		t.Errorf("RSA-1024: %v", err)
	}
	set.Rotation.Every = -time.Hour
	if err := problem(); !errors.Is(err, keyset.ErrRotation) {
		t.Errorf("negative rotation: %v", err)
	}
}
