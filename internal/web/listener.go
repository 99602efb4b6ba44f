package web

import (
	"errors"
	"net"
	"time"

	proxyproto "github.com/pires/go-proxyproto"

	"github.com/assertd/assertd/internal/connlimit"
)

// errNoPlace ends a connection whose client has too many.
var errNoPlace = errors.New("the client has too many connections")

// listener accepts connections and shares the places among their addresses.
type listener struct {
	net.Listener
	options Options
	conns   *connlimit.Set[owner, *conn]
}

func newListener(l net.Listener, options Options) *listener {
	limits := connlimit.Limits[owner]{
		Places: options.MaxConnections, PerOwner: max(1, options.MaxConnections/2), Renew: true,
		Exempt: func(o owner) bool { return !o.IsValid() },
	}
	return &listener{Listener: l, options: options, conns: connlimit.NewSet[owner, *conn](limits)}
}

// Accept returns the next connection that has a place. It closes others.
func (l *listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: raw, listener: l}
		holder := ownerOf(addressOf(raw.RemoteAddr()))
		if l.options.Proxies.Contain(addressOf(raw.RemoteAddr())) {
			holder = owner{}
			c.proxied = l.proxied(raw)
		}
		if l.conns.Add(c, holder) {
			return c, nil
		}
		raw.Close()
	}
}

// proxied reads the header that a proxy puts before the client's bytes, or
// returns nil if proxies send none.
func (l *listener) proxied(raw net.Conn) *proxyproto.Conn {
	if l.options.ClientAddress != ProxyProtocol {
		return nil
	}
	return proxyproto.NewConn(raw, proxyproto.WithPolicy(proxyproto.REQUIRE), proxyproto.SetReadHeaderTimeout(headerTimeout))
}

// patience is how long a response can take to be sent before its connection no
// longer counts as busy. A peer that does not read must not keep its place.
const patience = 2 * time.Second
