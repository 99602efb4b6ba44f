package e2e

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
	"golang.org/x/crypto/ssh"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/ipc"
)

// rawKeys lists the raw key sets of `assertd dev`, one per key type.
var rawKeys = []string{"dev-raw", "dev-rsa", "dev-ed25519"}

// TestRemoteSigner uses the signer wherever Go code takes a crypto.Signer, with
// a real daemon and keys on a SoftHSM token.
func TestRemoteSigner(t *testing.T) {
	d := startDev(t)
	for _, name := range rawKeys {
		t.Run(name, func(t *testing.T) {
			signer, err := d.Signer(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			t.Run("certificate request", func(t *testing.T) { certificateRequest(t, signer) })
			leaf := selfSigned(t, signer)
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				t.Run(tls.VersionName(version), func(t *testing.T) { handshake(t, signer, leaf, version) })
			}
			t.Run("ssh", func(t *testing.T) { sshLogin(t, signer) })
			t.Run("jose", func(t *testing.T) { joseSignature(t, signer) })
			t.Run("assertctl sign", func(t *testing.T) { toolSignature(t, d, name, signer) })
		})
	}
}

func certificateRequest(t *testing.T, signer *client.Signer) {
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: "payments"}, DNSNames: []string{"payments.example"}}
	algorithms := []x509.SignatureAlgorithm{x509.UnknownSignatureAlgorithm}
	if signer.Info().Alg == "RS256" {
		algorithms = append(algorithms, x509.SHA512WithRSA, x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS)
	}
	for _, template.SignatureAlgorithm = range algorithms {
		der, err := x509.CreateCertificateRequest(rand.Reader, template, signer)
		if err != nil {
			t.Fatalf("%v: %v", template.SignatureAlgorithm, err)
		}
		request, err := x509.ParseCertificateRequest(der)
		if err != nil {
			t.Fatal(err)
		}
		if err := request.CheckSignature(); err != nil {
			t.Errorf("%v: %v", request.SignatureAlgorithm, err)
		}
	}
}

// selfSigned returns a certificate for both ends of a connection to localhost.
func selfSigned(t *testing.T, signer *client.Signer) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "payments"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// handshake makes a mutual TLS connection with the key in the HSM on both ends.
func handshake(t *testing.T, signer *client.Signer, leaf []byte, version uint16) {
	certificate, err := x509.ParseCertificate(leaf)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	config := &tls.Config{
		Certificates: []tls.Certificate{signer.CertificateWith(leaf)}, MinVersion: version, MaxVersion: version,
		RootCAs: pool, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, ServerName: "localhost",
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	served := make(chan error, 1)
	go func() { served <- greetPeer(listener) }()
	conn, err := tls.Dial("tcp", listener.Addr().String(), config)
	if err != nil {
		t.Fatalf("client: %v; server: %v", err, <-served)
	}
	defer conn.Close()
	greeting, err := io.ReadAll(conn)
	if err != nil || string(greeting) != "hello payments" {
		t.Errorf("got %q, %v", greeting, err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// greetPeer greets one peer by the name in its certificate.
func greetPeer(listener net.Listener) error {
	accepted, err := listener.Accept()
	if err != nil {
		return err
	}
	defer accepted.Close()
	conn := accepted.(*tls.Conn)
	if err := conn.Handshake(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(conn, "hello %s", conn.ConnectionState().PeerCertificates[0].Subject.CommonName)
	return err
}

// sshLogin logs in to an SSH server with the key, which is also the host key.
func sshLogin(t *testing.T, signer crypto.Signer) {
	key, err := ssh.NewSignerFromSigner(signer)
	if err != nil {
		t.Fatal(err)
	}
	server := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, offered ssh.PublicKey) (*ssh.Permissions, error) {
		if !bytes.Equal(offered.Marshal(), key.PublicKey().Marshal()) {
			return nil, errors.New("another key")
		}
		return nil, nil
	}}
	server.AddHostKey(key)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	served := make(chan error, 1)
	go func() { served <- acceptLogin(listener, server) }()
	conn, err := ssh.Dial("tcp", listener.Addr().String(), &ssh.ClientConfig{
		User: "payments", Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.FixedHostKey(key.PublicKey()),
	})
	if err != nil {
		t.Fatalf("client: %v; server: %v", err, <-served)
	}
	conn.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func acceptLogin(listener net.Listener, config *ssh.ServerConfig) error {
	accepted, err := listener.Accept()
	if err != nil {
		return err
	}
	conn, channels, requests, err := ssh.NewServerConn(accepted, config)
	if err != nil {
		return err
	}
	go ssh.DiscardRequests(requests)
	for channel := range channels {
		if err := channel.Reject(ssh.Prohibited, "login is all"); err != nil {
			return err
		}
	}
	conn.Close() // the client has already disconnected
	return nil
}

// joseSignature signs with go-jose and each algorithm of the key.
func joseSignature(t *testing.T, signer *client.Signer) {
	for _, alg := range map[string][]jose.SignatureAlgorithm{
		"ES256": {jose.ES256}, "RS256": {jose.RS256, jose.RS384, jose.PS256, jose.PS512}, "EdDSA": {jose.EdDSA},
	}[signer.Info().Alg] {
		opaque, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: cryptosigner.Opaque(signer)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := opaque.Sign([]byte("payload"))
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		if payload, err := signed.Verify(signer.Public()); err != nil || string(payload) != "payload" {
			t.Errorf("%s: %q, %v", alg, payload, err)
		}
	}
}

// toolSignature verifies a signature from assertctl sign.
func toolSignature(t *testing.T, d *devDaemon, name string, signer *client.Signer) {
	file := filepath.Join(t.TempDir(), "message")
	if err := os.WriteFile(file, []byte("message"), 0o600); err != nil {
		t.Fatal(err)
	}
	signature := []byte(d.must(t, "assertctl", "sign", "--key", name, "--format", "raw", file))
	certificate, err := x509.ParseCertificate(selfSigned(t, signer))
	if err != nil {
		t.Fatal(err)
	}
	if err := certificate.CheckSignature(certificate.SignatureAlgorithm, []byte("message"), signature); err != nil {
		t.Errorf("the signature does not verify: %v", err)
	}
}

// TestRawSigningRefusals sends requests that the daemon must refuse, bypassing
// the checks in the client.
func TestRawSigningRefusals(t *testing.T) {
	d := startDev(t)
	digest := sha256.Sum256([]byte("{}"))
	for _, row := range []struct {
		name string
		req  ipc.SignRequest
		code ipc.Code
	}{
		{"with a key set for assertions", ipc.SignRequest{Key: "dev", Hash: ipc.HashSHA256, Digest: digest[:]}, ipc.CodeKeyNotAllowed},
		{"with no key set", ipc.SignRequest{Key: "nothing", Hash: ipc.HashSHA256, Digest: digest[:]}, ipc.CodeKeyNotAllowed},
		{"another hash", ipc.SignRequest{Key: "dev-raw", Hash: ipc.HashSHA512, Digest: make([]byte, 64)}, ipc.CodeHashNotAllowed},
		{"a message for ECDSA", ipc.SignRequest{Key: "dev-raw", Hash: ipc.HashNone, Digest: digest[:]}, ipc.CodeHashNotAllowed},
		{"a short digest", ipc.SignRequest{Key: "dev-raw", Hash: ipc.HashSHA256, Digest: digest[:31]}, ipc.CodeMalformedRequest},
		{"a padding for ECDSA", ipc.SignRequest{Key: "dev-raw", Hash: ipc.HashSHA256, Digest: digest[:], Padding: ipc.PaddingPSS}, ipc.CodePaddingNotAllowed},
		{"a padding left open", ipc.SignRequest{Key: "dev-rsa", Hash: ipc.HashSHA256, Digest: digest[:]}, ipc.CodePaddingNotAllowed},
	} {
		t.Run(row.name, func(t *testing.T) {
			if answer, err := d.Sign(t.Context(), row.req); !errors.Is(err, row.code) {
				t.Errorf("got %+v, %v, want %s", answer, err, string(row.code))
			}
		})
	}
}

// TestRawSigningIsLimitedAndRecorded checks the rate limits and the audit
// records of raw signatures.
func TestRawSigningIsLimitedAndRecorded(t *testing.T) {
	d := startDev(t)
	d.reconfigure(t, "{name: raw, key: dev-raw}", "{name: seldom, key: dev-raw, rate: [{limit: 2, per: 1h}]}", "seldom")
	digest := sha256.Sum256([]byte("{}"))
	req := ipc.SignRequest{Key: "dev-raw", Hash: ipc.HashSHA256, Digest: digest[:]}
	for range 2 {
		if _, err := d.Sign(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Sign(t.Context(), req); !errors.Is(err, ipc.CodeRateLimited) {
		t.Errorf("over the limit: %v", err)
	}
	if _, err := d.Sign(t.Context(), ipc.SignRequest{Key: "dev", Hash: ipc.HashSHA256, Digest: digest[:]}); !errors.Is(err, ipc.CodeKeyNotAllowed) {
		t.Errorf("with a key set for assertions: %v", err)
	}
	if _, err := d.Assert(t.Context(), ipc.AssertionRequest{}); err != nil {
		t.Errorf("raw signatures count against assertions: %v", err)
	}
	log, err := os.ReadFile(filepath.Join(d.dir, "audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var outcomes []string
	for line := range strings.Lines(string(log)) {
		var record struct{ Kind, Key, Hash, Digest, Outcome, Code string }
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		if record.Kind == "raw" {
			outcomes = append(outcomes, record.Outcome+" "+record.Code)
			if record.Key == "" || record.Hash != ipc.HashSHA256 || record.Digest != fmt.Sprintf("%x", digest) {
				t.Errorf("the record lacks the key or the digest: %s", line)
			}
		}
	}
	want := []string{"allowed ", "allowed ", "refused rate-limited", "refused key-not-allowed"}
	if !slices.Equal(outcomes, want) {
		t.Errorf("recorded %q, want %q", outcomes, want)
	}
}
