package keyset

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/assertd/assertd/internal/trustpath"
)

func selfSigned(t testing.TB) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// FuzzParseCertificates reads what may be a chain of certificates, and checks
// that it is read back from PEM as the same.
func FuzzParseCertificates(f *testing.F) {
	f.Add([]byte(""))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"))
	f.Add([]byte("\x1b[2J-----BEGIN CERTIFICATE-----"))
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: selfSigned(f)}))
	f.Add(selfSigned(f))
	f.Fuzz(func(t *testing.T, text []byte) {
		chain, err := ParseCertificates(text)
		if err != nil {
			return
		}
		if len(chain) == 0 {
			t.Fatal("no error, and no certificates")
		}
		var again []byte
		for _, certificate := range chain {
			again = append(again, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})...)
		}
		path := filepath.Join(t.TempDir(), "chain.pem")
		if err := os.WriteFile(path, again, 0o600); err != nil {
			t.Fatal(err)
		}
		same, err := ReadCertificates(trustpath.Rules{}, path)
		if err != nil || len(same) != len(chain) {
			t.Fatalf("%d certificates, read back %d: %v", len(chain), len(same), err)
		}
		for i := range same {
			if !bytes.Equal(same[i].Raw, chain[i].Raw) {
				t.Fatalf("certificate %d changed", i)
			}
		}
		if picked := Chain(chain[0].PublicKey, chain); len(picked) > len(chain) {
			t.Fatalf("a chain of %d from %d certificates", len(picked), len(chain))
		}
	})
}
