package daemon

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/worker/workertest"
	"github.com/assertd/assertd/internal/inspect"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/logging/logtest"
	"github.com/assertd/assertd/ipc/peer/peertest"
	"github.com/assertd/assertd/jwks"
	"github.com/assertd/assertd/test/softhsm"
)

// certifiedVersion puts an RSA version of key set "one" on a token. It returns
// the kid and a certificate for it in PEM.
func certifiedVersion(t *testing.T, k *softhsm.Token, age time.Duration) (kid string, certificate []byte) {
	t.Helper()
	token, err := hsm.Open(hsm.Config{Module: k.Module, Label: k.Label}, hsm.NewPIN([]byte(k.PIN)))
	if err != nil {
		t.Fatal(err)
	}
	defer token.Close()
	key, err := token.Generate(hsm.Spec{Label: keyset.Label("one", time.Now().Add(-age)), Type: "RSA-2048", Alg: "PS256"})
	if err != nil {
		t.Fatal(err)
	}
	if kid, err = jwks.Thumbprint(key.Public()); err != nil {
		t.Fatal(err)
	}
	authority, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: kid},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(365 * days),
	}
	issuer := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "CA"}}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), authority)
	if err != nil {
		t.Fatal(err)
	}
	return kid, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// A version whose time has come takes over once it has the certificate that its
// grant's profile needs. Until then the former one signs, and the status says
// so.
func TestTakeoverWaitsForTheCertificate(t *testing.T) {
	k := softhsm.New(t)
	first, firstCertificate := certifiedVersion(t, k, 100*days)
	second, secondCertificate := certifiedVersion(t, k, 4*days)
	r := &running{t: t, Journal: &logtest.Journal{}, dir: peertest.Dir(t)}
	r.path, r.head = filepath.Join(r.dir, "assertd.yaml"), onToken(k)
	certify := func(certificates ...[]byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(r.dir, "chain.pem"), bytes.Join(certificates, nil), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	certify(firstCertificate)
	r.write("keys:\n  one: {alg: PS256, use: assertion, bits: 2048, certificate: DIR/chain.pem}\n" +
		strings.NewReplacer("private_key_jwt", "entra-certificate", "https://as.example", "https://login.microsoftonline.com/t/oauth2/v2.0/token").
			Replace(grantOf("one", "")))
	r.run(r.load)
	if kid := r.signs(); kid != first || !r.readiness().Ready {
		t.Errorf("%s signs, not %s, which has the certificate", kid, first)
	}
	if got := fmt.Sprint(r.uncertified()); got != "["+second+"]" {
		t.Errorf("without a certificate: %s", got)
	}
	if err := r.checked(); !errors.Is(err, keyset.ErrUncertified) || !strings.Contains(err.Error(), second) {
		t.Errorf("assertd check says %v", err)
	}
	certify(firstCertificate, secondCertificate)
	if err := r.Reload(); err != nil {
		t.Fatal(err)
	}
	if kid := r.signs(); kid != second || r.uncertified() != nil {
		t.Errorf("%s signs, not %s, which has a certificate now", kid, second)
	}
	if err := r.checked(); err != nil {
		t.Errorf("assertd check says %v", err)
	}
}

// checked is what assertd check finds.
func (r *running) checked() error {
	r.t.Helper()
	c, err := r.load()
	if err != nil {
		r.t.Fatal(err)
	}
	o := Options{Config: c, Logger: r.Journal, WorkerCommand: workertest.Command(), Now: time.Now}
	return Inspect(r.t.Context(), o, func(_ context.Context, i *inspect.Inspection) error { return i.Missing() })
}

// uncertified are the versions that the status shows without their certificate.
func (r *running) uncertified() (kids []string) {
	for _, v := range r.status().Keys[0].Versions {
		if v.Uncertified {
			kids = append(kids, v.Kid)
		}
	}
	return kids
}
