package keyadmin_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/keyadmin"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/trustpath"
	"github.com/assertd/assertd/jwks"
)

func TestCSR(t *testing.T) {
	types := map[string]hsm.KeyType{"ES256": hsm.P256, "PS256": hsm.RSA2048, "EdDSA": hsm.Ed25519}
	for alg, typ := range types {
		t.Run(alg, func(t *testing.T) {
			b := newBench(t, keyadmin.KeySet{Type: typ, Set: keyset.Set{Name: "k", Alg: alg}})
			key := b.generate("k")
			text, err := key.CSR(keyadmin.Names{
				Subject: `CN=payments-api,O=Example\, Ltd,C=GB`, DNS: []string{"a.example"},
				URIs: []string{"spiffe://example/payments"}, Emails: []string{"a@example.com"}, IPs: []string{"192.0.2.1"},
			})
			if err != nil {
				t.Fatal(err)
			}
			block, _ := pem.Decode(text)
			request, err := x509.ParseCertificateRequest(block.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			if err := request.CheckSignature(); err != nil {
				t.Error(err)
			}
			if got := request.Subject.String(); got != `CN=payments-api,O=Example\, Ltd,C=GB` || len(request.DNSNames)+len(request.URIs)+len(request.EmailAddresses)+len(request.IPAddresses) != 4 {
				t.Errorf("subject %s with %v", got, request.URIs)
			}
		})
	}
}

func TestNames(t *testing.T) {
	b := newBench(t, payments())
	key := b.generate("payments")
	for _, names := range []keyadmin.Names{
		{}, {Subject: "/"}, {Subject: "/CN=a/b"}, {Subject: "emailAddress=ü@example"}, {Subject: "payments"}, {Subject: "CN="}, {Subject: "X=y"}, {Subject: "CN=a,C=England"}, {Subject: "CN=a,"},
		{Subject: "CN=a+OU=b"}, {Subject: `O="a"`}, {Subject: `CN=a\`}, {Subject: "CN=a\x1b[2J"},
		{Subject: "CN=a", URIs: []string{"relative"}}, {Subject: "CN=a", IPs: []string{"1.2.3"}}, {Subject: "CN=a", Emails: []string{"A <a@b>"}},
	} {
		if _, err := key.CSR(names); !errors.Is(err, keyadmin.ErrNames) {
			t.Errorf("%+v: %v", names, err)
		}
	}
}

func TestSelfSigned(t *testing.T) {
	b := newBench(t, payments())
	key := b.generate("payments")
	text, err := key.SelfSigned(keyadmin.Names{Subject: "CN=payments"}, 365*day, b.clock)
	if err != nil {
		t.Fatal(err)
	}
	certificate, left, err := b.ImportToToken(key, text)
	if err != nil || left != 0 {
		t.Fatalf("%d left, %v", left, err)
	}
	if certificate.IsCA || !certificate.NotAfter.Equal(start.Add(365*day)) || certificate.SerialNumber.BitLen() != 127 {
		t.Errorf("certificate %+v", certificate)
	}
	if chain := b.find(key.Kid).Certificates; len(chain) != 1 || !chain[0].Equal(certificate) {
		t.Errorf("found %d certificates with the key", len(chain))
	}
}

func TestImportToToken(t *testing.T) {
	b := newBench(t, payments())
	key, ca := b.generate("payments"), newAuthority(t)
	if _, left, err := b.ImportToToken(key, ca.certify(t, key.Pair.Public(), 100*day)); err != nil || left != 1 {
		t.Fatalf("%d left, %v", left, err)
	}
	if _, _, err := b.ImportToToken(key, ca.certify(t, key.Pair.Public(), 200*day)); err != nil {
		t.Fatal(err)
	}
	if chain := b.find(key.Kid).Certificates; len(chain) != 1 || !chain[0].NotAfter.Equal(start.Add(200*day)) {
		t.Errorf("%d certificates with the key", len(chain))
	}
	b.at(201 * day)
	if notes := strings.Join(b.inventory().Notes(), "\n"); !strings.Contains(notes, "certificate has expired") {
		t.Errorf("notes %q", notes)
	}
}

func TestImportRefuses(t *testing.T) {
	b := newBench(t, payments())
	key, ca := b.generate("payments"), newAuthority(t)
	file := filepath.Join(t.TempDir(), "chain.pem")
	stranger := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: newAuthority(t).certificate.Raw})
	for _, test := range []struct {
		name string
		text []byte
		want error
	}{
		{"another key", ca.certify(t, ca.key.Public(), day), jwks.ErrCertificateKey},
		{"expired", ca.certify(t, key.Pair.Public(), -time.Hour), jwks.ErrCertificateExpired},
		{"no certificate", []byte("hello"), keyset.ErrCertificates},
		{"a gap", append(ca.certify(t, key.Pair.Public(), day), stranger...), jwks.ErrCertificateChain},
	} {
		if _, _, err := b.ImportToToken(key, test.text); !errors.Is(err, test.want) {
			t.Errorf("%s to the token: %v", test.name, err)
		}
		if _, err := b.ImportToFile(key, test.text, file); !errors.Is(err, test.want) {
			t.Errorf("%s to the file: %v", test.name, err)
		}
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Error("a refused certificate is in the file")
	}
}

// TestImportToFile keeps one file for the versions of a rotation.
func TestImportToFile(t *testing.T) {
	set := payments()
	set.CertificateFile = filepath.Join(t.TempDir(), "chain.pem")
	b := newBench(t, set)
	first, ca := b.generate("payments"), newAuthority(t)
	b.at(day)
	second := b.generate("payments")
	path, err := b.inventory().CertificateFile(first)
	if err != nil || path != set.CertificateFile {
		t.Fatalf("%s, %v", path, err)
	}
	for _, imported := range []struct {
		key  keyadmin.Key
		life time.Duration
	}{{first, 100 * day}, {second, 150 * day}, {first, 200 * day}} {
		if _, err := b.ImportToFile(imported.key, ca.certify(t, imported.key.Pair.Public(), imported.life), path); err != nil {
			t.Fatal(err)
		}
	}
	if set.Certificates, err = keyset.ReadCertificates(trustpath.Rules{}, path); err != nil {
		t.Fatal(err)
	}
	if len(set.Certificates) != 3 {
		t.Errorf("%d certificates in the file, want one for each version and their issuer", len(set.Certificates))
	}
	b.configure(set)
	for _, key := range []keyadmin.Key{b.find(first.Kid), b.find(second.Kid)} {
		if len(key.Certificates) != 2 || jwks.CheckCertificates(key.Pair.Public(), key.Certificates, b.clock) != nil {
			t.Errorf("%s has %d certificates", key.Label, len(key.Certificates))
		}
	}
	b.configure(payments())
	if _, err := b.inventory().CertificateFile(first); !errors.Is(err, keyadmin.ErrNoCertificate) {
		t.Errorf("without a file: %v", err)
	}
}

func TestForms(t *testing.T) {
	b := newBench(t, payments())
	key := b.generate("payments")
	text, err := key.PEM()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if public, err := x509.ParsePKIXPublicKey(block.Bytes); err != nil || !public.(interface{ Equal(crypto.PublicKey) bool }).Equal(key.Pair.Public()) {
		t.Errorf("PEM: %v", err)
	}
	jwk, err := key.JWK()
	if err != nil {
		t.Fatal(err)
	}
	if set, err := jwks.ParseSet(append(append([]byte(`{"keys":[`), jwk...), "]}"...)); err != nil || set.Keys()[0].Kid != key.Kid {
		t.Errorf("JWK: %v", err)
	}
	line, err := key.SSH()
	if err != nil {
		t.Fatal(err)
	}
	if parsed, comment, _, _, err := ssh.ParseAuthorizedKey(line); err != nil || comment != key.Label || parsed.Type() != "ecdsa-sha2-nistp256" {
		t.Errorf("SSH: %v", err)
	}
	b.foreign("x\nssh-ed25519 AAAA", []byte{9}, 0, nil)
	if line, err = b.find("id:09").SSH(); err != nil || bytes.Count(line, []byte("\n")) != 1 {
		t.Errorf("a label with a line break: %q, %v", line, err)
	}
	var shown strings.Builder
	if err := key.WriteDetails(&shown, b.clock); err != nil {
		t.Fatal(err)
	}
	if details := shown.String(); !strings.Contains(details, "extractable false") || !strings.Contains(details, key.Kid) {
		t.Errorf("details\n%s", details)
	}
}

func TestEntra(t *testing.T) {
	b := newBench(t, payments())
	key := b.generate("payments")
	if _, err := key.Entra(nil, b.clock); !errors.Is(err, keyadmin.ErrNoCertificate) {
		t.Errorf("a bare key: %v", err)
	}
	certificate, err := key.SelfSigned(keyadmin.Names{Subject: "CN=payments"}, 30*day, b.clock)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.ImportToToken(key, certificate); err != nil {
		t.Fatal(err)
	}
	key = b.find(key.Kid)
	text, err := key.Entra([]keyadmin.Federation{{Name: "api-entra", Issuer: "https://id.example", Subject: "payments", Audience: "api://AzureADTokenExchange"}}, b.clock)
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		KeyCredentials []struct {
			Type, Usage string
			Key         []byte
		}
		FederatedIdentityCredentials []struct {
			Issuer, Subject string
			Audiences       []string
		}
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	uploaded, trusted := document.KeyCredentials[0], document.FederatedIdentityCredentials[0]
	if uploaded.Type != "AsymmetricX509Cert" || uploaded.Usage != "Verify" || !bytes.Equal(uploaded.Key, key.Certificates[0].Raw) {
		t.Errorf("keyCredentials %+v", uploaded)
	}
	if trusted.Issuer != "https://id.example" || trusted.Subject != "payments" || len(trusted.Audiences) != 1 {
		t.Errorf("federatedIdentityCredentials %+v", trusted)
	}
	if _, err := key.Entra(nil, b.clock.Add(31*day)); !errors.Is(err, jwks.ErrCertificateExpired) {
		t.Errorf("an expired certificate: %v", err)
	}
}
