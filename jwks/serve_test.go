package jwks

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/trustpath"
)

// listen is a listener on loopback.
func listen(t testing.TB) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// serve runs a publisher for a test, and ends it with the test.
func serve(t testing.TB, p *Publisher, certificate *TLSCertificate) (address string) {
	t.Helper()
	listener := listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx, listener, certificate) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return listener.Addr().String()
}

func newClient(t testing.TB, config *tls.Config) *http.Client {
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

func fetch(t testing.TB, client *http.Client, url string) (*http.Response, string) {
	t.Helper()
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func TestServeOverHTTP(t *testing.T) {
	p, _ := newPublisher(t, "")
	set := mustSet(t, oneOfEach(t)...)
	update(t, p, Content{Set: set})
	url := "http://" + serve(t, p, nil) + SetPath
	response, body := fetch(t, newClient(t, nil), url)
	if response.StatusCode != 200 || body != string(set.JSON()) || response.Header.Get("Content-Length") == "" {
		t.Errorf("%d %v", response.StatusCode, response.Header)
	}
	request, _ := http.NewRequest(http.MethodGet, url, nil)
	request.Header.Set("If-None-Match", response.Header.Get("ETag"))
	again, err := newClient(t, nil).Do(request)
	if err != nil || again.StatusCode != 304 {
		t.Errorf("%v %v", again, err)
	}
}

func TestServeEnds(t *testing.T) {
	p, _ := newPublisher(t, "")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	listener := listen(t)
	if err := p.Serve(ctx, listener, nil); err != nil {
		t.Errorf("ended before it began: %v", err)
	}
	if _, err := listener.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener is open: %v", err)
	}
	closed := listen(t)
	closed.Close()
	if err := p.Serve(context.Background(), closed, nil); err == nil {
		t.Error("no error for a listener that fails")
	}
}

// An idle connection does not delay the shutdown.
func TestServeEndsWithIdleConnections(t *testing.T) {
	p, _ := newPublisher(t, "")
	update(t, p, Content{})
	listener := listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx, listener, nil) }()
	fetch(t, newClient(t, nil), "http://"+listener.Addr().String()+SetPath)
	began := time.Now()
	cancel()
	if err := <-done; err != nil || time.Since(began) > drainTimeout/2 {
		t.Errorf("ended after %s: %v", time.Since(began), err)
	}
}

// A host with more connections than there are places stops nobody else.
func TestServeSharesConnections(t *testing.T) {
	p, err := NewPublisher(PublisherConfig{MaxConnections: 8})
	if err != nil {
		t.Fatal(err)
	}
	update(t, p, Content{})
	address := serve(t, p, nil)
	for range 40 {
		idle, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer idle.Close()
		client := newClient(t, nil)
		if response, _ := fetch(t, client, "http://"+address+SetPath); response.StatusCode != http.StatusOK {
			t.Fatal(response.Status)
		}
		client.CloseIdleConnections()
	}
}

// pair is a TLS certificate in files.
type pair struct{ cert, key string }

func newPair(t testing.TB) pair {
	dir := t.TempDir()
	return pair{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
}

// write puts a new certificate into the files, by rename as renewals do.
func (p pair) write(t testing.TB, root authority, name string) {
	t.Helper()
	private, _ := newKey(t)
	certificate := root.issue(t, name, private.Public())
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	replace(t, p.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	replace(t, p.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))
}

func replace(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// served is the name in the certificate that a fresh handshake gets.
func served(t testing.TB, address string, root authority) string {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(root.certificate)
	conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: roots, ServerName: "localhost", Time: func() time.Time { return day(50) }})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
}

func TestServeReloadsItsCertificate(t *testing.T) {
	root, files := newAuthority(t), newPair(t)
	files.write(t, root, "first")
	var reports []error
	reported := make(chan error, 8)
	certificate, err := LoadTLSCertificate(files.cert, files.key, trustpath.Rules{}, func(err error) { reported <- err })
	if err != nil {
		t.Fatal(err)
	}
	p, _ := newPublisher(t, "")
	update(t, p, Content{})
	address := serve(t, p, certificate)
	expect := func(step, name string, good ...bool) {
		t.Helper()
		for range 2 { // a change is noticed, and reported, once
			if got := served(t, address, root); got != name {
				t.Errorf("%s: served %s, want %s", step, got, name)
			}
		}
		for _, want := range good {
			select {
			case err := <-reported:
				reports = append(reports, err)
				if (err == nil) != want {
					t.Errorf("%s: reported %v", step, err)
				}
			default:
				t.Errorf("%s: not reported", step)
			}
		}
		if len(reported) > 0 {
			t.Errorf("%s: reported too much: %v", step, <-reported)
		}
	}
	expect("at start", "first")
	files.write(t, root, "second")
	expect("renewed", "second", true)
	replace(t, files.cert, []byte("not a certificate"))
	expect("a bad file", "second", false)
	os.Remove(files.cert)
	expect("no file", "second", false)
	files.write(t, root, "third")
	expect("repaired", "third", true)
	files.write(t, root, "fourth")
	if err := os.Chmod(files.key, 0o644); err != nil {
		t.Fatal(err)
	}
	expect("a key that others can read", "third", false)
	if err := os.Chmod(files.key, 0o600); err != nil {
		t.Fatal(err)
	}
	files.write(t, root, "fifth")
	expect("repaired again", "fifth", true)
	key, _ := newKey(t)
	der, _ := x509.MarshalPKCS8PrivateKey(key)
	replace(t, files.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	expect("another's key", "fifth", false)
	for _, err := range reports {
		if err != nil && (!strings.Contains(err.Error(), files.cert) || strings.Contains(err.Error(), "BEGIN")) {
			t.Errorf("the report does not help: %v", err)
		}
	}
}

func TestServeOverTLS(t *testing.T) {
	root, files := newAuthority(t), newPair(t)
	files.write(t, root, "jwks")
	certificate, err := LoadTLSCertificate(files.cert, files.key, trustpath.Rules{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := newPublisher(t, "")
	set := mustSet(t, oneOfEach(t)...)
	update(t, p, Content{Set: set})
	address := serve(t, p, certificate)
	roots := x509.NewCertPool()
	roots.AddCert(root.certificate)
	config := &tls.Config{RootCAs: roots, ServerName: "localhost", Time: func() time.Time { return day(50) }}
	response, body := fetch(t, newClient(t, config), "https://"+address+SetPath)
	if response.ProtoMajor != 2 || body != string(set.JSON()) {
		t.Errorf("%s %d", response.Proto, response.StatusCode)
	}
	old := config.Clone()
	old.MaxVersion = tls.VersionTLS11
	if conn, err := tls.Dial("tcp", address, old); err == nil {
		conn.Close()
		t.Error("TLS 1.1 is spoken")
	}
}

func TestLoadTLSCertificateRefuses(t *testing.T) {
	files := newPair(t)
	if _, err := LoadTLSCertificate(files.cert, files.key, trustpath.Rules{}, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no files: %v", err)
	}
	replace(t, files.cert, nil)
	replace(t, files.key, nil)
	if _, err := LoadTLSCertificate(files.cert, files.key, trustpath.Rules{}, nil); err == nil || !strings.Contains(err.Error(), files.cert) {
		t.Errorf("empty files: %v", err)
	}
	if err := os.Chmod(files.key, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadTLSCertificate(files.cert, files.key, trustpath.Rules{}, nil); err == nil || !strings.Contains(err.Error(), "chmod 600 "+files.key) {
		t.Errorf("a key that others can read: %v", err)
	}
}
