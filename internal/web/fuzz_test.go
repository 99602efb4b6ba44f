package web

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"
)

// pipe is a connection from an address, with bytes that are already there.
type pipe struct {
	net.Conn
	from net.Addr
}

func (p pipe) RemoteAddr() net.Addr { return p.from }

// FuzzProxyHeader reads what a proxy, or somebody who is none, may send before
// a request. Only a proxy's header names a client, and no client is a proxy.
func FuzzProxyHeader(f *testing.F) {
	for _, header := range []string{proxied1, proxied2, health2, "PROXY UNKNOWN\r\n", "PROXY TCP6 ::1 ::1 1 2\r\n", "PROXY TCP4 1.2.3.4 \r\n", get, ""} {
		f.Add([]byte(header), true)
		f.Add([]byte(header+get), false)
	}
	proxy, stranger := net.IPv4(10, 0, 0, 1), net.IPv4(192, 0, 2, 1)
	f.Fuzz(func(t *testing.T, sent []byte, trusted bool) {
		from := stranger
		if trusted {
			from = proxy
		}
		near, far := net.Pipe()
		defer near.Close()
		go func() {
			_, _ = far.Write(sent)
			far.Close()
		}()
		l := newListener(&once{pipe{near, &net.TCPAddr{IP: from}}}, Options{MaxConnections: 2, Proxies: proxies("10.0.0.1"), ClientAddress: ProxyProtocol})
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		rest, _ := io.ReadAll(c)
		address := addressOf(c.RemoteAddr())
		if !trusted && (address.String() != stranger.String() || string(rest) != string(sent)) {
			t.Fatalf("a stranger became %v, and sent %q", address, rest)
		}
		if len(rest) > len(sent) {
			t.Fatalf("%q became %q", sent, rest)
		}
		c.Close()
		if n := l.conns.Len(); n != 0 {
			t.Fatalf("%d connections are left", n)
		}
	})
}

// once is a listener with one connection.
type once struct{ c net.Conn }

func (o *once) Accept() (net.Conn, error) {
	c := o.c
	if o.c = nil; c == nil {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (o *once) Close() error   { return nil }
func (o *once) Addr() net.Addr { return &net.TCPAddr{} }

// FuzzForwardedFor reads what may be in X-Forwarded-For. The client is the peer
// or an address in the header, and a stranger's header changes nothing.
func FuzzForwardedFor(f *testing.F) {
	f.Add("10.0.0.1:80", "192.0.2.7, 10.0.0.2", "203.0.113.9")
	f.Add("10.0.0.1:80", ",,,", "[::1]:1")
	f.Add("192.0.2.1:80", "10.0.0.1", "")
	f.Add("", "\x00", "::ffff:10.0.0.1%eth0")
	f.Fuzz(func(t *testing.T, peer, first, second string) {
		o := Options{Proxies: proxies("10.0.0.0/8"), ClientAddress: ForwardedFor}
		r := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": {first, second}}}
		client := o.Client(r)
		if at := requestAddress(peer); !o.Proxies.Contain(at) && client != at {
			t.Fatalf("stranger %s became %s", at, client)
		}
		if client.Is4In6() || client.Zone() != "" {
			t.Fatalf("client %s has two forms", client)
		}
		if client != (netip.Addr{}) && !ownerOf(client).Contains(client) {
			t.Fatalf("%s is not in %s", client, ownerOf(client))
		}
	})
}
