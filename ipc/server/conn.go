package server

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/ipc/peer"
)

// connOwner is a user on a socket. Callers in different containers may have the
// same user ID, but not the same socket.
type connOwner struct {
	listener string
	uid      uint32
}

// conn is a caller's connection.
type conn struct {
	*peer.Conn
	server      *Server
	sentRequest atomic.Bool  // the peer has sent a request
	answering   atomic.Bool  // from the end of a request's header until its response is sent
	busy        atomic.Bool  // a whole request was read, and its response is not sent yet
	writing     atomic.Int64 // when the present write began, in Unix nanoseconds; 0 for none
	identified  sync.Once
}

// patience is how long a write can take before its connection no longer counts
// as busy. Callers that read nothing must not keep their places.
const patience = 2 * time.Second

// Read identifies the peer before it reads the first byte. That is as soon
// after accept as possible, no matter what the peer sends. It is also in the
// connection's own goroutine, so that hashing a large program doesn't delay
// other connections.
//
// A peer that closes its sending side after a whole request still wants the
// response, but net/http would take the end of input for the peer's leaving.
func (c *conn) Read(p []byte) (int, error) {
	c.identified.Do(func() { c.identify() })
	n, err := c.UnixConn.Read(p)
	if err == io.EOF && c.watching(p) {
		return 0, c.AwaitHangup()
	}
	return n, err
}

// watching reports whether net/http reads only to notice that the peer leaves.
// It then reads one byte at a time; it reads bodies through a larger buffer. It
// ends such a read with a deadline in the past.
func (c *conn) watching(p []byte) bool { return len(p) == 1 && c.answering.Load() }

// identify returns the caller with the attributes that the present policy needs
// and those that are recorded.
func (c *conn) identify() caller.Caller {
	from, err := c.Identify(c.server.opts.Needed(), c.server.opts.Recorded)
	if err != nil {
		c.server.log.warn("attributes of a caller are unknown, so no selector for them matches",
			"uid", from.UID, "pid", from.PID, "listener", from.Listener, "error", err)
	}
	return from
}

// plainError is how net/http ends the header of an error response of its own.
var plainError = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")

// Write replaces the responses of net/http to requests that it can't parse,
// which no handler sees, with problem documents. net/http sends each in one
// write, and then closes the connection.
func (c *conn) Write(p []byte) (int, error) {
	c.writing.Store(time.Now().UnixNano())
	defer c.writing.Store(0)
	status, isError := bytes.CutPrefix(p, []byte("HTTP/1.1 "))
	if !isError || len(status) < 4 || status[0] < '4' {
		return c.UnixConn.Write(p)
	}
	if !bytes.Contains(p, plainError) && !bytes.HasPrefix(status, []byte("417")) {
		return c.UnixConn.Write(p)
	}
	if _, err := c.UnixConn.Write(c.server.badRequest(status)); err != nil {
		return 0, err
	}
	c.linger()
	return len(p), nil
}

// unread reports whether a part of the request's body was not read. A caller
// that expects 100 (Continue) sends no body after another answer.
func (c *conn) unread(r *http.Request) bool {
	return r.ContentLength != 0 && !c.busy.Load() && r.Header["Expect"] == nil
}

// unused reports whether the peer has never sent a request.
func (c *conn) unused() bool { return !c.sentRequest.Load() }

// Busy implements connlimit.Conn.
func (c *conn) Busy() bool {
	since := c.writing.Load()
	return c.busy.Load() && (since == 0 || time.Since(time.Unix(0, since)) < patience)
}

// Drop implements connlimit.Conn.
func (c *conn) Drop() { c.UnixConn.Close() }

// Close gives the connection's place to others.
func (c *conn) Close() error {
	c.server.conns.Remove(c)
	return c.UnixConn.Close()
}

type connKey struct{}

func connContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// trackState learns from net/http when a header has been read and when a
// response has been sent.
func trackState(c net.Conn, state http.ConnState) {
	tracked, ok := c.(*conn)
	switch {
	case ok && state == http.StateActive:
		tracked.answering.Store(true)
	case ok && state == http.StateIdle:
		tracked.answering.Store(false)
		tracked.busy.Store(false)
	}
}

func connOf(r *http.Request) *conn {
	c, _ := r.Context().Value(connKey{}).(*conn)
	return c
}

// acceptor accepts the connections of a socket for net/http.
type acceptor struct {
	*peer.Listener
	server *Server
}

// Accept returns the next connection whose credentials are known.
func (a acceptor) Accept() (net.Conn, error) {
	for {
		raw, err := a.AcceptUnix()
		if outOfDescriptors(err) && a.server.spare.refuse(a.Listener, a.server.noDescriptors) {
			a.server.log.warn("refused a connection, because the process has no file descriptors left; raise its limit (LimitNOFILE, ulimit -n), or lower limits.connections",
				"listener", a.Path())
			continue
		}
		if err != nil {
			return nil, err
		}
		accepted, err := a.server.identifier.Conn(a.Listener, raw)
		if err != nil {
			a.server.log.warn("refused a connection", "listener", a.Path(), "error", err)
			raw.Close()
			continue
		}
		c := &conn{Conn: accepted, server: a.server}
		uid := c.Caller().UID
		if a.server.conns.Add(c, connOwner{a.Path(), uid}) {
			return c, nil
		}
		a.server.log.warn("refused a connection, because too many are open", "listener", a.Path(), "uid", uid)
		a.server.refusals.refuse(raw, a.server.tooMany())
	}
}
