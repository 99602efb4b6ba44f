package jose_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"testing"

	"filippo.io/mldsa"

	"github.com/assertd/assertd/internal/jose"
)

// certificate reads one that OpenSSL 3.6 made.
func certificate(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile("testdata/mldsa-" + name + ".pem")
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

// The certificates of ML-DSA keys, which crypto/x509 doesn't know.
func TestMLDSACertificates(t *testing.T) {
	var seed [mldsa.PrivateKeySize]byte
	for i := range seed {
		seed[i] = byte(i)
	}
	ca, leaf, other := certificate(t, "ca"), certificate(t, "leaf"), certificate(t, "notca")
	for c, parameters := range map[*x509.Certificate]mldsa.Parameters{ca: mldsa.MLDSA65(), leaf: mldsa.MLDSA44()} {
		key, err := mldsa.NewPrivateKey(parameters, seed[:])
		if err != nil {
			t.Fatal(err)
		}
		if !jose.Certifies(c, key.Public()) {
			t.Errorf("%s isn't for the key it is for", c.Subject)
		}
	}
	if jose.Certifies(leaf, jose.CertifiedKey(ca)) {
		t.Error("the leaf is for the root's key")
	}
	for _, c := range []*x509.Certificate{ca, leaf} {
		if err := jose.CheckIssuer(c, ca); err != nil {
			t.Errorf("the root didn't sign %s: %v", c.Subject, err)
		}
	}
	if jose.CheckIssuer(ca, leaf) == nil || jose.CheckIssuer(leaf, other) == nil {
		t.Error("a certificate that isn't an authority's issued one")
	}
	forged := *leaf
	forged.RawTBSCertificate = append([]byte{}, leaf.RawTBSCertificate...)
	forged.RawTBSCertificate[20] ^= 1
	if jose.CheckIssuer(&forged, ca) == nil {
		t.Error("a certificate that was changed passes")
	}
}
