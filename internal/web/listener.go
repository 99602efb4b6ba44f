package web

import (
	"errors"
	"net"
	"sync/atomic"
	"time"

	proxyproto "github.com/pires/go-proxyproto"

	"github.com/assertd/assertd/internal/connlimit"
	"github.com/assertd/assertd/internal/logging"
)

// errNoPlace ends a connection whose client has too many.
var errNoPlace = errors.New("the client has too many connections")

// listener accepts connections and shares the places among their addresses.
type listener struct {
	net.Listener
	options Options
	conns   *connlimit.Set[owner, *conn]

	throttle *logging.Throttle
	dropped  atomic.Pointer[net.Addr] // the last one that was dropped, until it is logged
}

func newListener(l net.Listener, options Options) *listener {
	limits := connlimit.Limits[owner]{
		Places: options.MaxConnections, PerOwner: max(1, options.MaxConnections/2), Renew: true,
		Exempt: func(o owner) bool { return !o.IsValid() },
	}
	if options.Logger == nil {
		options.Logger = logging.Discard
	}
	return &listener{Listener: l, options: options, conns: connlimit.NewSet[owner, *conn](limits), throttle: logging.NewThrottle(time.Now)}
}

// Accept returns the next connection that has a place. It closes others.
func (l *listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: raw, listener: l}
		peer := addressOf(raw.RemoteAddr())
		holder := ownerOf(peer)
		if l.options.Proxies.Contain(peer) {
			holder = owner{}
			c.proxied = l.proxied(raw)
		}
		placed := l.conns.Add(c, holder)
		l.tell(placed, raw)
		if placed {
			return c, nil
		}
		raw.Close()
	}
}

// tell logs that connections were dropped or refused. The dropped ones are
// those of the address that has the most.
func (l *listener) tell(placed bool, newcomer net.Conn) {
	dropped := l.dropped.Swap(nil)
	switch {
	case dropped != nil:
		l.throttle.Log(l.options.Logger.Warn, "dropped", "dropped an idle connection of the address with the most; if it is a load balancer, list it as a proxy",
			"listener", l.options.Name, "address", (*dropped).String())
	case !placed:
		l.throttle.Log(l.options.Logger.Warn, "refused", "refused a connection, because too many are busy", "listener", l.options.Name,
			"address", newcomer.RemoteAddr().String())
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
