package web

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/logging/logtest"
)

// deadline is generous: other tests share the machine.
const deadline = 30 * time.Second

// serve runs a server on the loopback interface until the test ends. Its
// handler answers with the client's address.
func serve(t *testing.T, options Options) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	options.ResponseTimeout = deadline
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, options.Client(r).String())
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, handler, options) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return l.Addr().String()
}

// peer is a connection from one of the addresses of the loopback interface.
type peer struct {
	net.Conn
	reader *bufio.Reader
}

func dial(t *testing.T, address, from string) peer {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: deadline}
	c, err := dialer.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(deadline)); err != nil {
		t.Fatal(err)
	}
	return peer{c, bufio.NewReader(c)}
}

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

// ask sends bytes and returns the body of the response, or "closed".
func (p peer) ask(t *testing.T, text string) string {
	t.Helper()
	if _, err := io.WriteString(p, text); err != nil {
		return "closed"
	}
	resp, err := http.ReadResponse(p.reader, nil)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("no answer within %v", deadline)
	}
	if err != nil {
		return "closed"
	}
	if resp.StatusCode != http.StatusOK {
		return resp.Status
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func proxies(texts ...string) Proxies {
	list, err := ParseProxies(texts)
	if err != nil {
		panic(err)
	}
	return list
}

func TestOneAddressCantShutOutOthers(t *testing.T) {
	log := new(logtest.Journal)
	address := serve(t, Options{MaxConnections: 8, Name: "jwks.listen", Logger: log})
	other := dial(t, address, "127.0.0.3")
	if got := other.ask(t, get); got != "127.0.0.3" {
		t.Fatal(got)
	}
	crowd := make([]peer, 40)
	for i := range crowd {
		crowd[i] = dial(t, address, "127.0.0.2")
	}
	for range 3 * len(crowd) {
		served(t, address, "127.0.0.4", get, "127.0.0.4")
	}
	if got := other.ask(t, get); got != "127.0.0.3" {
		t.Errorf("a connection that was there before: %s", got)
	}
	if n := open(t, crowd); n > 4 {
		t.Errorf("one address holds %d of 8 places", n)
	}
	told := log.Take()
	if len(told) != 1 || !strings.Contains(told[0], "dropped an idle connection") || !strings.Contains(told[0], "jwks.listen") || !strings.Contains(told[0], "127.0.0.2") {
		t.Errorf("logged %q", told)
	}
}

func TestOneAddressHoldsHalf(t *testing.T) {
	address := serve(t, Options{MaxConnections: 8})
	crowd := make([]peer, 12)
	for i := range crowd {
		crowd[i] = served(t, address, "127.0.0.2", get, "127.0.0.2")
	}
	if n := open(t, crowd); n != 4 {
		t.Errorf("%d connections are open, want 4", n)
	}
}

// served connects until it is answered. While the server has not noticed yet
// that its last responses are sent, all connections of an address are busy.
func served(t *testing.T, address, from, text, want string) peer {
	t.Helper()
	for end := time.Now().Add(deadline); ; time.Sleep(time.Millisecond) {
		p := dial(t, address, from)
		got := p.ask(t, text)
		if got == want {
			return p
		}
		if got != "closed" || time.Now().After(end) {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
}

// open counts the connections that are answered.
func open(t *testing.T, crowd []peer) (n int) {
	t.Helper()
	for _, p := range crowd {
		if p.ask(t, get) != "closed" {
			n++
		}
	}
	return n
}

func TestProxiesAreExempt(t *testing.T) {
	address := serve(t, Options{MaxConnections: 8, Proxies: proxies("127.0.0.2")})
	crowd := make([]peer, 8)
	for i := range crowd {
		crowd[i] = dial(t, address, "127.0.0.2")
	}
	for i, p := range crowd {
		if got := p.ask(t, get); got != "127.0.0.2" {
			t.Errorf("connection %d: %s", i, got)
		}
	}
}

const (
	proxied1 = "PROXY TCP4 192.0.2.7 127.0.0.1 4711 443\r\n"
	proxied2 = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + "\xc0\x00\x02\x08" + "\x7f\x00\x00\x01" + "\x12\x67\x01\xbb"
	health2  = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
)

func TestProxyProtocol(t *testing.T) {
	address := serve(t, Options{MaxConnections: 8, Proxies: proxies("127.0.0.2"), ClientAddress: ProxyProtocol})
	for _, test := range []struct{ name, from, header, want string }{
		{"version 1", "127.0.0.2", proxied1, "192.0.2.7"},
		{"version 2", "127.0.0.2", proxied2, "192.0.2.8"},
		{"a health check", "127.0.0.2", health2, "127.0.0.2"},
		{"an unknown client", "127.0.0.2", "PROXY UNKNOWN\r\n", "127.0.0.2"},
		{"no header", "127.0.0.2", "", "400 Bad Request"},
		{"a damaged header", "127.0.0.2", "PROXY TCP4 192.0.2.7\r\n", "400 Bad Request"},
		{"X-Forwarded-For", "127.0.0.2", proxied1 + "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.9\r\n\r\n", "192.0.2.7"},
		{"version 1 of another", "127.0.0.3", proxied1, "400 Bad Request"},
		{"version 2 of another", "127.0.0.3", proxied2, "400 Bad Request"},
		{"no header of another", "127.0.0.3", "", "127.0.0.3"},
	} {
		if got := dial(t, address, test.from).ask(t, test.header+get); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

// Behind a proxy that says who its clients are, they share the places too.
func TestClientsOfAProxyShare(t *testing.T) {
	address := serve(t, Options{MaxConnections: 8, Proxies: proxies("127.0.0.2"), ClientAddress: ProxyProtocol})
	crowd := make([]peer, 12)
	for i := range crowd {
		crowd[i] = served(t, address, "127.0.0.2", proxied1+get, "192.0.2.7")
	}
	if got := dial(t, address, "127.0.0.2").ask(t, proxied2+get); got != "192.0.2.8" {
		t.Errorf("another client of the proxy: %s", got)
	}
	if n := open(t, crowd); n != 4 {
		t.Errorf("%d connections are open, want 4", n)
	}
}

func TestProxyProtocolIsOff(t *testing.T) {
	for _, who := range []ClientAddress{Connection, ForwardedFor, ""} {
		address := serve(t, Options{MaxConnections: 8, Proxies: proxies("127.0.0.2"), ClientAddress: who})
		if got := dial(t, address, "127.0.0.2").ask(t, proxied1+get); got != "400 Bad Request" {
			t.Errorf("%s: %s", who, got)
		}
	}
}

func TestForwardedFor(t *testing.T) {
	for _, test := range []struct{ peer, header, want string }{
		{"10.0.0.1:80", "", "10.0.0.1"},
		{"10.0.0.1:80", "192.0.2.7", "192.0.2.7"},
		{"10.0.0.1:80", "203.0.113.9, 192.0.2.7", "192.0.2.7"},
		{"10.0.0.1:80", "203.0.113.9, 192.0.2.7, 10.0.0.2", "192.0.2.7"},
		{"10.0.0.1:80", "203.0.113.9, 10.0.0.3, 10.0.0.2", "203.0.113.9"},
		{"10.0.0.1:80", "10.0.0.3, 10.0.0.2", "10.0.0.3"},
		{"10.0.0.1:80", "192.0.2.7:4711", "192.0.2.7"},
		{"10.0.0.1:80", "[2001:db8::1]:4711", "2001:db8::1"},
		{"10.0.0.1:80", "[2001:db8::1]", "2001:db8::1"},
		{"10.0.0.1:80", "2001:db8::1%eth0", "2001:db8::1"},
		{"10.0.0.1:80", "::ffff:192.0.2.7", "192.0.2.7"},
		{"[::ffff:10.0.0.1]:80", "192.0.2.7", "192.0.2.7"},
		{"10.0.0.1:80", "192.0.2.7, unknown", "10.0.0.1"},
		{"10.0.0.1:80", "192.0.2.7, bogus, 10.0.0.2", "10.0.0.2"},
		{"10.0.0.1:80", "192.0.2.7\r\n10.0.0.2", "192.0.2.7"}, // two headers
		{"192.0.2.1:80", "203.0.113.9", "192.0.2.1"},          // not from a proxy
	} {
		o := Options{Proxies: proxies("10.0.0.0/8"), ClientAddress: ForwardedFor}
		r := &http.Request{RemoteAddr: test.peer, Header: http.Header{}}
		if test.header != "" {
			r.Header["X-Forwarded-For"] = strings.Split(test.header, "\r\n")
		}
		if got := o.Client(r); got != netip.MustParseAddr(test.want) {
			t.Errorf("%s with %q: got %s, want %s", test.peer, test.header, got, test.want)
		}
		o.ClientAddress = Connection
		if got := o.Client(r); got != requestAddress(test.peer) {
			t.Errorf("%s with %q: %s, though nothing is configured", test.peer, test.header, got)
		}
	}
}

func TestOwners(t *testing.T) {
	owned := func(address string) owner { return ownerOf(addressOf(&net.TCPAddr{IP: net.ParseIP(address)})) }
	if owned("2001:db8::1") != owned("2001:db8::ffff:1") || owned("2001:db8::1") == owned("2001:db8:0:1::1") {
		t.Error("IPv6 addresses are not owned by their /64")
	}
	if owned("192.0.2.1") != owned("::ffff:192.0.2.1") || owned("192.0.2.1") == owned("192.0.2.2") {
		t.Error("an IPv4-mapped address is not its IPv4 address")
	}
	if !ownerOf(netip.Addr{}).IsValid() {
		t.Error("a connection without an address is taken for a proxy's")
	}
}

// TestConnectionEndsAfterTransferEncoding sends requests that a proxy may have
// seen end elsewhere (RFC 9112, section 6.1).
func TestConnectionEndsAfterTransferEncoding(t *testing.T) {
	address := serve(t, Options{MaxConnections: 8})
	for _, test := range []struct {
		name, request string
		open          bool
	}{
		{"no body", get, true},
		{"a length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", true},
		{"chunks", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false},
		{"both", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false},
		{"chunks without a body", "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false},
		{"HTTP/1.0", "GET / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n", false},
	} {
		p := dial(t, address, "127.0.0.1")
		if got := p.ask(t, test.request); got != "127.0.0.1" {
			t.Errorf("%s: %s", test.name, got)
		}
		if open := p.ask(t, get) != "closed"; open != test.open {
			t.Errorf("%s: the connection is open: %v, want %v", test.name, open, test.open)
		}
	}
}

func TestLimits(t *testing.T) {
	server := newServer(nil, Options{ResponseTimeout: time.Second})
	for name, timeout := range map[string]time.Duration{
		"header": server.ReadHeaderTimeout, "read": server.ReadTimeout, "write": server.WriteTimeout, "idle": server.IdleTimeout,
	} {
		if timeout <= 0 || timeout > 20*time.Second {
			t.Errorf("%s timeout %s", name, timeout)
		}
	}
	address := serve(t, Options{MaxConnections: 8})
	long := strings.Replace(get, "Host", "X: "+strings.Repeat("x", 4*maxHeaderBytes)+"\r\nHost", 1)
	if got := dial(t, address, "127.0.0.1").ask(t, long); got != "431 Request Header Fields Too Large" {
		t.Error(got)
	}
	if most := Possible(1 << 30); most < 1 || most >= 1<<30 {
		t.Errorf("%d connections", most)
	}
}
