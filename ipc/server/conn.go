package server

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/assertd/assertd/internal/connlimit"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/ipc/peer"
)

// excessConnections is how many connections past MaxConnections are still
// answered, with overloaded; those past them are closed at once.
const excessConnections = 64

// connOwner is who holds connections: a user on a socket, since callers in
// containers share user ids but not sockets.
type connOwner struct {
	listener string
	uid      uint32
}

// conn is a caller's connection.
type conn struct {
	*peer.Conn
	server   *Server
	excess   bool        // past MaxConnections: answered with overloaded, then closed
	asked    atomic.Bool // has made a request
	working  atomic.Bool // a whole request was read and its answer is not yet sent
	accepted sync.Once
}

// Read identifies the peer before the first byte is read: at once after accept,
// whatever the peer sends, and in the connection's own goroutine, so that a large
// program to hash holds up nobody else's accept.
func (c *conn) Read(p []byte) (int, error) {
	if !c.excess {
		c.accepted.Do(func() { c.identify() })
	}
	return c.UnixConn.Read(p)
}

// identify returns the caller with the attributes that the policy wants now and
// those that are noted.
func (c *conn) identify() caller.Caller {
	who, err := c.Identify(c.server.opts.Wants(), c.server.opts.Notes)
	if err != nil {
		c.server.log.warn("a caller's attributes are unknown, and match nothing",
			"uid", who.UID, "pid", who.PID, "listener", who.Listener, "error", err)
	}
	return who
}

// plainError is how net/http ends the header of an error that it answers itself.
var plainError = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")

// Write replaces the answers that net/http gives to a request that it can't read,
// which no handler sees, by problem documents. Each is one write.
func (c *conn) Write(p []byte) (int, error) {
	status, isError := bytes.CutPrefix(p, []byte("HTTP/1.1 "))
	if !isError || len(status) < 4 || status[0] < '4' {
		return c.UnixConn.Write(p)
	}
	if !bytes.Contains(p, plainError) && !bytes.HasPrefix(status, []byte("417")) {
		return c.UnixConn.Write(p)
	}
	if _, err := c.UnixConn.Write(c.server.unreadable(status[:3])); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Busy implements connlimit.Conn.
func (c *conn) Busy() bool { return c.working.Load() }

// Drop implements connlimit.Conn.
func (c *conn) Drop() { c.UnixConn.Close() }

// Close forgets the connection.
func (c *conn) Close() error {
	c.server.conns.Remove(c)
	return c.UnixConn.Close()
}

type connKey struct{}

func connContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// trackState learns from net/http when an answer is on the wire.
func trackState(c net.Conn, state http.ConnState) {
	if c, ok := c.(*conn); ok && state == http.StateIdle {
		c.working.Store(false)
	}
}

func connOf(r *http.Request) *conn {
	c, _ := r.Context().Value(connKey{}).(*conn)
	return c
}

// acceptor accepts a socket's connections for net/http.
type acceptor struct {
	*peer.Listener
	server *Server
}

// Accept returns the next connection whose credentials are known.
func (a acceptor) Accept() (net.Conn, error) {
	for {
		raw, err := a.AcceptUnix()
		if err != nil {
			return nil, err
		}
		accepted, err := a.server.identifier.Conn(a.Listener, raw)
		if err != nil {
			a.server.log.warn("a connection without credentials was closed", "listener", a.Path(), "error", err)
			raw.Close()
			continue
		}
		c := &conn{Conn: accepted, server: a.server}
		uid := c.Caller().UID
		place := a.server.conns.Add(c, connOwner{a.Path(), uid})
		if c.excess = place == connlimit.Excess; place != connlimit.Refused {
			return c, nil
		}
		a.server.log.warn("a connection was closed, since too many are open", "listener", a.Path(), "uid", uid)
		raw.Close()
	}
}
