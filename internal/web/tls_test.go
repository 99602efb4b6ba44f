package web

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// certificate makes a certificate that nobody trusts.
func certificate(t *testing.T) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"x"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
	}
}

func TestTLSVersionsAndSuites(t *testing.T) {
	address := serve(t, Options{MaxConnections: 8, Certificate: certificate(t)})
	for _, test := range []struct {
		name       string
		suites     []uint16
		most, want uint16 // versions; 0 is a refusal
	}{
		{"the newest", nil, 0, tls.VersionTLS13},
		{"TLS 1.2 with GCM", []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}, tls.VersionTLS12, tls.VersionTLS12},
		{"TLS 1.2 with CBC and SHA-1", []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA}, tls.VersionTLS12, 0},
		{"TLS 1.2 with CBC and SHA-256", []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256}, tls.VersionTLS12, 0},
		{"TLS 1.1", nil, tls.VersionTLS11, 0},
	} {
		c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: test.most, CipherSuites: test.suites})
		var got uint16
		if err == nil {
			got = c.ConnectionState().Version
			c.Close()
		}
		if got != test.want {
			t.Errorf("%s: got %s, want %s (%v)", test.name, tls.VersionName(got), tls.VersionName(test.want), err)
		}
	}
}

// TestRapidReset opens and cancels many streams of one HTTP/2 connection. The
// server cuts it off or keeps up, and others don't notice.
func TestRapidReset(t *testing.T) {
	address := serve(t, Options{MaxConnections: 8, Certificate: certificate(t)})
	config := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}
	c, err := tls.Dial("tcp", address, config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(deadline)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(c, c)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	if most := streams(t, framer); most != maxStreams {
		t.Errorf("%d streams at a time, want %d", most, maxStreams)
	}
	go func() { _, _ = io.Copy(io.Discard, c) }()
	resets := reset(framer, 5000)
	t.Logf("%d streams before the server had enough", resets)
	client := http.Client{Timeout: deadline, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	resp, err := client.Get("https://" + address)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.ProtoMajor != 2 || resp.StatusCode != http.StatusOK {
		t.Errorf("%s %s", resp.Proto, resp.Status)
	}
}

// streams reads the server's limit.
func streams(t *testing.T, framer *http2.Framer) (most uint32) {
	t.Helper()
	frame, err := framer.ReadFrame()
	settings, ok := frame.(*http2.SettingsFrame)
	if err != nil || !ok {
		t.Fatalf("%v %v", frame, err)
	}
	most, _ = settings.Value(http2.SettingMaxConcurrentStreams)
	return most
}

// reset opens and cancels n streams, and returns how many it could.
func reset(framer *http2.Framer, n int) int {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for i := range n {
		block.Reset()
		for _, f := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":path", "/"}, {":authority", "x"}} {
			_ = encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}) // a buffer takes it
		}
		id := uint32(2*i + 1)
		headers := http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true}
		if err := errors.Join(framer.WriteHeaders(headers), framer.WriteRSTStream(id, http2.ErrCodeCancel)); err != nil {
			return i
		}
	}
	return n
}

// The proxy's header comes before the handshake, which it passes on.
func TestProxyProtocolBeforeTLS(t *testing.T) {
	address := serve(t, Options{
		MaxConnections: 8, Proxies: proxies("127.0.0.2"), ClientAddress: ProxyProtocol, Certificate: certificate(t),
	})
	p := dial(t, address, "127.0.0.2")
	if _, err := io.WriteString(p, proxied2); err != nil {
		t.Fatal(err)
	}
	c := tls.Client(p.Conn, &tls.Config{InsecureSkipVerify: true})
	if got := (peer{c, bufio.NewReader(c)}).ask(t, get); got != "192.0.2.8" {
		t.Error(got)
	}
}
