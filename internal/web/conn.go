package web

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	proxyproto "github.com/pires/go-proxyproto"
)

// conn is a connection of a listener.
type conn struct {
	net.Conn
	listener *listener
	proxied  *proxyproto.Conn // nil if the connection is the client's own
	claim    sync.Once
	refused  atomic.Bool
	active   atomic.Int64 // when the present request began, in Unix nanoseconds; 0 for none
}

// Read reads the client's bytes. The first one reads the proxy's header, in the
// connection's own goroutine, so that a slow proxy delays nobody else.
func (c *conn) Read(p []byte) (int, error) {
	if c.proxied == nil {
		return c.Conn.Read(p)
	}
	c.claim.Do(c.reassign)
	if c.refused.Load() {
		return 0, errNoPlace
	}
	return c.proxied.Read(p)
}

// reassign gives the connection to the client that the proxy names. A proxy's
// own connections, such as health checks, stay its own.
func (c *conn) reassign() {
	header := c.proxied.ProxyHeader()
	if header == nil || header.Command.IsLocal() || header.SourceAddr == nil {
		return
	}
	client := ownerOf(addressOf(c.proxied.RemoteAddr()))
	c.refused.Store(!c.listener.conns.Reassign(c, client))
}

// RemoteAddr is the client's address, by what the proxy says if there is one.
func (c *conn) RemoteAddr() net.Addr {
	if c.proxied == nil {
		return c.Conn.RemoteAddr()
	}
	c.claim.Do(c.reassign)
	return c.proxied.RemoteAddr()
}

// SetReadDeadline also tells the reader of the proxy's header, which puts the
// deadline back after it.
func (c *conn) SetReadDeadline(t time.Time) error {
	if c.proxied == nil {
		return c.Conn.SetReadDeadline(t)
	}
	return c.proxied.SetReadDeadline(t)
}

// SetDeadline is like SetReadDeadline.
func (c *conn) SetDeadline(t time.Time) error {
	if c.proxied == nil {
		return c.Conn.SetDeadline(t)
	}
	return c.proxied.SetDeadline(t)
}

// Busy implements connlimit.Conn.
func (c *conn) Busy() bool {
	since := c.active.Load()
	return since != 0 && time.Since(time.Unix(0, since)) < patience
}

// Drop implements connlimit.Conn.
func (c *conn) Drop() {
	address := c.Conn.RemoteAddr()
	c.listener.dropped.Store(&address)
	c.Conn.Close()
}

// Close gives the connection's place to others.
func (c *conn) Close() error {
	c.listener.conns.Remove(c)
	return c.Conn.Close()
}

// trackState learns from net/http when a header has been read and when a
// response has been sent.
func trackState(c net.Conn, state http.ConnState) {
	if encrypted, ok := c.(*tls.Conn); ok {
		c = encrypted.NetConn()
	}
	tracked, ok := c.(*conn)
	switch {
	case ok && state == http.StateActive:
		tracked.active.Store(time.Now().UnixNano())
	case ok:
		tracked.active.Store(0)
	}
}
