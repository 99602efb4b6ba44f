package ipc

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// conn is a connection together with who made it.
type conn struct {
	*net.UnixConn
	server   *Server
	excess   bool        // past MaxConnections: answered with overloaded, then closed
	unmapped bool        // of a user whom the daemon's user namespace can't tell from others
	asked    atomic.Bool // has made a request
	working  atomic.Bool // a whole request was read and its answer is not yet sent
	accepted sync.Once

	mu    sync.Mutex // held while /proc is read
	known atomic.Pointer[identity]
}

// identity is a peer and the attributes that were looked up for it, found or not.
type identity struct {
	peer Peer
	has  Attributes
}

// newConn reads the credentials, which costs two system calls and can't wait.
func newConn(s *Server, l *BoundListener, c *net.UnixConn) (*conn, error) {
	peer := Peer{Listener: l.Path(), Client: l.Client()}
	if err := readCredentials(c, &peer); err != nil {
		return nil, err
	}
	out := &conn{UnixConn: c, server: s}
	out.unmapped, peer.Groups = s.ids.ambiguous(peer)
	out.known.Store(&identity{peer: peer})
	return out, nil
}

// Read identifies the peer before the first byte is read: at once after accept,
// whatever the peer sends, and in the connection's own goroutine, so that a large
// program to hash holds up nobody else's accept.
func (c *conn) Read(p []byte) (int, error) {
	if !c.excess {
		c.accepted.Do(func() { c.peer() })
	}
	return c.UnixConn.Read(p)
}

// peer returns the peer with the attributes that the policy wants now and those
// that are noted. /proc is read only when that is more than was looked up before.
func (c *conn) peer() Peer {
	decisive := c.server.opts.Wants()
	want := decisive.union(c.server.opts.Notes)
	if known := c.known.Load(); known.has.covers(want) {
		return known.peer
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.known.Load()
	if known.has.covers(want) {
		return known.peer
	}
	next := &identity{peer: known.peer, has: known.has.union(want)}
	next.peer.Executable, next.peer.ExecutableSHA256, next.peer.Unit, next.peer.Container = "", "", "", ""
	err := c.server.identifier.identify(c.UnixConn, next.has, &next.peer)
	if concerns(err, decisive) {
		c.server.warnings.warn("a caller's attributes are unknown, and match nothing",
			"uid", next.peer.UID, "pid", next.peer.PID, "listener", next.peer.Listener, "error", err)
	}
	if isTransient(err) {
		next.has = known.has
	}
	c.known.Store(next)
	return next.peer
}

func (a Attributes) covers(b Attributes) bool { return a.union(b) == a }

func (a Attributes) union(b Attributes) Attributes {
	return Attributes{a.Executable || b.Executable, a.Hash || b.Hash, a.Cgroup || b.Cgroup}
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

// Close forgets the connection.
func (c *conn) Close() error {
	c.server.conns.remove(c)
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
	*BoundListener
	server *Server
}

// Accept returns the next connection whose credentials are known.
func (a acceptor) Accept() (net.Conn, error) {
	for {
		raw, err := a.AcceptUnix()
		if err != nil {
			return nil, err
		}
		c, err := newConn(a.server, a.BoundListener, raw)
		switch {
		case err != nil:
			a.server.warnings.warn("a connection without credentials was closed", "listener", a.Path(), "error", err)
		case !a.server.conns.add(c):
			a.server.warnings.warn("a connection was closed, since too many are open", "listener", a.Path(), "uid", c.known.Load().peer.UID)
		default:
			return c, nil
		}
		raw.Close()
	}
}
