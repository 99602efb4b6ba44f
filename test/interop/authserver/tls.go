package authserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"time"
)

// maxRequest limits a certificate request, in bytes.
const maxRequest = 64 << 10

// ca issues the server's certificate and those of clients. Its key and its
// certificates last as long as the process.
type ca struct {
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

// ListenTLS has the server listen at one more address, with TLS, for clients
// that insist on it or that authenticate with a certificate (RFC 8705). Call it
// before the server serves.
func (s *Server) ListenTLS(address string) error {
	authority, err := newCA()
	if err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	own, err := authority.serverCertificate(host)
	if err != nil {
		return err
	}
	clients := x509.NewCertPool()
	clients.AddCert(authority.certificate)
	s.ca = authority
	s.secure, err = tls.Listen("tcp", address, &tls.Config{
		Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12,
		ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: clients,
	})
	return err
}

// SecureIssuer is the server's URL for TLS.
func (s *Server) SecureIssuer() string { return "https://" + s.secure.Addr().String() }

// CertificateURL takes a certificate request in PEM and returns a certificate
// in PEM.
func (s *Server) CertificateURL() string { return s.SecureIssuer() + "/certificate" }

// CA is the certificate, in PEM, that clients must trust for TLS.
func (s *Server) CA() []byte { return encode(s.ca.certificate.Raw) }

func newCA() (*ca, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := certificate(pkix.Name{CommonName: "playground CA"})
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	return &ca{key, parsed}, err
}

func certificate(subject pkix.Name) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes([]byte(rand.Text())), Subject: subject,
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
}

func (a *ca) serverCertificate(host string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := certificate(pkix.Name{CommonName: host})
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	template.NotAfter = time.Now().AddDate(1, 0, 0) // a playground may run for long
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// issue answers a certificate request for a client that authenticates with one.
// The request's signature proves that the client has the key. Anyone who can
// reach the server gets a certificate, as anyone can use a playground's daemon.
func (s *Server) issue(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	der, err := s.certify(text)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	_, _ = w.Write(encode(der)) // the client has gone
}

func (s *Server) certify(request []byte) ([]byte, error) {
	block, _ := pem.Decode(request)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, errors.New("the body is not a certificate request in PEM")
	}
	parsed, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, err
	}
	if err := parsed.CheckSignature(); err != nil {
		return nil, err
	}
	id := parsed.Subject.CommonName
	if !s.usesTLS(id) {
		return nil, fmt.Errorf("the common name %q is not the ID of a client that authenticates with a certificate", id)
	}
	template := certificate(pkix.Name{CommonName: id})
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return x509.CreateCertificate(rand.Reader, template, s.ca.certificate, parsed.PublicKey, s.ca.key)
}

func encode(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// clientCertificate is the verified certificate of a connection, or nil.
func clientCertificate(r *http.Request) *x509.Certificate {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return nil
	}
	return r.TLS.PeerCertificates[0]
}

// certificateThumbprint is that of RFC 8705 section 3.1, or empty without a
// certificate.
func certificateThumbprint(r *http.Request) string {
	leaf := clientCertificate(r)
	if leaf == nil {
		return ""
	}
	hash := sha256.Sum256(leaf.Raw)
	return base64.RawURLEncoding.EncodeToString(hash[:])
}
