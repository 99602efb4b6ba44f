package interop

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assertd/assertd/client"
)

// TestOpenSSLClient has an OpenSSL CA certify keys in the HSM, and OpenSSL's
// s_client connect to servers with these keys.
func TestOpenSSLClient(t *testing.T) {
	d := startRaw(t)
	ca := newOpenSSLCA(t)
	for _, key := range rawKeys {
		t.Run(key, func(t *testing.T) {
			signer := d.signer(t, key)
			server := httptest.NewUnstartedServer(http.NotFoundHandler())
			server.TLS = &tls.Config{Certificates: []tls.Certificate{signer.CertificateWith(ca.certify(t, signer))}}
			server.StartTLS()
			t.Cleanup(server.Close)
			for _, version := range []string{"-tls1_2", "-tls1_3"} {
				out := ca.openssl(t, "s_client", "-connect", server.Listener.Addr().String(), version, "-servername", "localhost",
					"-CAfile", "ca.pem", "-verify_return_error", "-verify_hostname", "localhost")
				if !strings.Contains(out, "Verify return code: 0 (ok)") {
					t.Errorf("%s: %s", version, out)
				}
			}
		})
	}
}

// opensslCA is a CA that openssl keeps in a directory.
type opensslCA struct{ dir string }

func newOpenSSLCA(t *testing.T) opensslCA {
	t.Helper()
	ca := opensslCA{t.TempDir()}
	ca.openssl(t, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=CA of a test",
		"-days", "1", "-keyout", "ca.key", "-out", "ca.pem")
	return ca
}

// certify has the CA check a certificate request of the key, and returns the
// certificate in DER.
func (ca opensslCA) certify(t *testing.T, signer *client.Signer) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
	}, signer)
	if err != nil {
		t.Fatal(err)
	}
	request := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	if err := os.WriteFile(filepath.Join(ca.dir, "request.pem"), request, 0o600); err != nil {
		t.Fatal(err)
	}
	ca.openssl(t, "req", "-in", "request.pem", "-noout", "-verify")
	text := ca.openssl(t, "x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "1", "-copy_extensions", "copyall")
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatalf("no certificate: %s", text)
	}
	return block.Bytes
}

// openssl runs a command of openssl in the CA's directory, with no input, and
// returns its standard output.
func (ca opensslCA) openssl(t *testing.T, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "openssl", args...)
	var errs bytes.Buffer
	command.Dir, command.Stderr = ca.dir, &errs
	out, err := command.Output()
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s%s", args[0], err, out, errs.String())
	}
	return string(out)
}
