package ship

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/test/rsyslog"
)

// TestShippedOverTLS: every line arrives at a server that wants a client
// certificate, across a broken connection. The server must have the name that
// its certificate has.
func TestShippedOverTLS(t *testing.T) {
	dir := t.TempDir()
	files := writeCertificate(t, dir)
	server := serveSyslog(t, files)
	l, shipper := ownAndShip(t, dir, Syslog("", server.address, files))
	for i := range 200 {
		if err := l.Append(t.Context(), record(strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
		if i == 100 {
			await(t, "lines", func() bool { return len(server.received()) > 50 })
			if s := state(shipper, l); s.Lines != 0 { // nothing has settled
				t.Errorf("counted as delivered up to line %d at once", s.Lines)
			}
			server.breakConnection()
		}
	}
	file := filepath.Join(dir, "audit.jsonl")
	await(t, "all lines", func() bool { return len(server.received()) == len(logLinesOf(t, file)) })
	if got, want := server.received(), logLinesOf(t, file); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Error("the lines that arrived are not the log's")
	}
	await(t, "the delivery", func() bool { return state(shipper, l).Pending == 0 })
}

// TestShippedToRsyslogOverTLS: Debian's rsyslog takes every line, the longest
// too, and across its restart.
func TestShippedToRsyslogOverTLS(t *testing.T) {
	dir := t.TempDir()
	files := writeCertificate(t, dir)
	receiver := rsyslog.NewTLS(t, dir, files.CA, files.Cert, files.Key)
	receiver.Start()
	l, shipper := ownAndShip(t, dir, Syslog("", receiver.Address, files))
	add := func(jtis ...string) {
		for _, jti := range jtis {
			if err := l.Append(t.Context(), record(jti)); err != nil {
				t.Fatal(err)
			}
		}
	}
	add("first", strings.Repeat("x", audit.MaxRecord-1000), "\u00e9\n\x00\u2028")
	file := filepath.Join(dir, "audit.jsonl")
	await(t, "the first lines", func() bool { return len(receiver.Received()) == len(logLinesOf(t, file)) })
	receiver.Stop()
	add("while it is away")
	receiver.Start()
	add("after")
	await(t, "the delivery", func() bool { return state(shipper, l).Pending == 0 })
	await(t, "all lines", func() bool { return len(receiver.Received()) == len(logLinesOf(t, file)) })
	if got, want := receiver.Received(), logLinesOf(t, file); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Error("the lines that arrived are not the log's")
	}
}

func TestServerOfAnotherName(t *testing.T) {
	dir := t.TempDir()
	server := serveSyslog(t, writeCertificate(t, dir))
	other := filepath.Join(dir, "other")
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	l, shipper := ownAndShip(t, dir, Syslog("", server.address, writeCertificate(t, other)))
	await(t, "an error", func() bool { return strings.Contains(state(shipper, l).Error, "certificate") })
	if got := server.received(); len(got) > 0 {
		t.Errorf("a server without a good certificate received %d lines", len(got))
	}
}

// writeCertificate writes a certificate that is good for a server, a client and
// as their authority.
func writeCertificate(t *testing.T, dir string) Certificates {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c := Certificates{CA: filepath.Join(dir, "cert.pem"), Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	for name, block := range map[string]*pem.Block{
		c.Cert: {Type: "CERTIFICATE", Bytes: certificate}, c.Key: {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// syslogServer reads messages with octet counting.
type syslogServer struct {
	address string
	mu      sync.Mutex
	conn    net.Conn
	lines   map[string]bool
	order   []string // each line once
}

func serveSyslog(t *testing.T, files Certificates) *syslogServer {
	t.Helper()
	settings, err := files.config()
	if err != nil {
		t.Fatal(err)
	}
	settings.ClientCAs, settings.ClientAuth = settings.RootCAs, tls.RequireAndVerifyClientCert
	listener, err := tls.Listen("tcp", "127.0.0.1:0", settings)
	if err != nil {
		t.Fatal(err)
	}
	s := &syslogServer{address: listener.Addr().String(), lines: make(map[string]bool)}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.read(conn)
		}
	})
	t.Cleanup(func() {
		listener.Close()
		s.breakConnection()
		serving.Wait()
	})
	return s
}

// read reads from one connection.
func (s *syslogServer) read(conn net.Conn) {
	s.mu.Lock()
	s.conn = conn
	s.mu.Unlock()
	defer conn.Close()
	for in := bufio.NewReader(conn); ; {
		length, err := in.ReadString(' ')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(length, " "))
		if err != nil {
			return
		}
		message := make([]byte, n)
		if _, err := io.ReadFull(in, message); err != nil {
			return
		}
		s.take(string(message))
	}
}

func (s *syslogServer) take(message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, line, _ := strings.Cut(message, " - ")
	if strings.HasPrefix(message, "<110>1 2") && !s.lines[line] {
		s.lines[line] = true
		s.order = append(s.order, line)
	}
}

func (s *syslogServer) received() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.order...)
}

func (s *syslogServer) breakConnection() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		s.conn.Close()
	}
}
