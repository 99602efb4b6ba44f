package keyadmin

import (
	"crypto/x509"
	"testing"
	"time"

	"filippo.io/mldsa"

	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/jwks"
)

// Requests and self-signed certificates of ML-DSA keys have the names that were
// asked for, and verify. make hsm-test has OpenSSL verify those of a token.
func TestMLDSARequestAndCertificate(t *testing.T) {
	names := Names{Subject: "CN=payments,O=Example", DNS: []string{"a.example"}, URIs: []string{"spiffe://example/payments"}}
	template, err := names.request()
	if err != nil {
		t.Fatal(err)
	}
	for _, parameters := range []mldsa.Parameters{mldsa.MLDSA44(), mldsa.MLDSA65(), mldsa.MLDSA87()} {
		key, err := mldsa.NewPrivateKey(parameters, make([]byte, mldsa.PrivateKeySize))
		if err != nil {
			t.Fatal(err)
		}
		der, err := signRequest(template, key)
		if err != nil {
			t.Fatal(err)
		}
		request, err := x509.ParseCertificateRequest(der)
		if err != nil {
			t.Fatal(err)
		}
		if err := jose.Verify(key.Public(), request.RawTBSCertificateRequest, nil, request.Signature); err != nil || len(request.DNSNames) != 1 ||
			len(request.URIs) != 1 || request.Subject.String() != "CN=payments,O=Example" {
			t.Errorf("%s: %s, %v, %v: %v", parameters, request.Subject, request.DNSNames, request.URIs, err)
		}
		if public, err := jose.ParseSPKI(request.RawSubjectPublicKeyInfo); err != nil || !key.PublicKey().Equal(public) {
			t.Errorf("%s: the request is for another key: %v", parameters, err)
		}
		checkOwn(t, key, names)
	}
}

func checkOwn(t *testing.T, key *mldsa.PrivateKey, names Names) {
	t.Helper()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	text, err := selfSigned(key, names, time.Hour, now)
	if err != nil {
		t.Fatal(err)
	}
	certificates, err := keyset.ParseCertificates(text)
	if err != nil {
		t.Fatal(err)
	}
	chain := keyset.Chain(key.Public(), certificates)
	if len(chain) != 1 || !chain[0].NotAfter.Equal(now.Add(time.Hour)) || chain[0].IsCA {
		t.Fatalf("%d certificates", len(chain))
	}
	if err := jwks.CheckCertificates(key.Public(), chain, now); err != nil {
		t.Error(err)
	}
	if err := jose.CheckIssuer(chain[0], chain[0]); err != nil {
		t.Error(err)
	}
}
