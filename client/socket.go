package client

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// maxHeader is how much of an answer may be its header and what frames its body, in bytes.
	maxHeader = 64 << 10
	// maxIdle is how many connections wait for their next request.
	maxIdle = 64
	// idleLimit is how long they are worth keeping. The daemon closes them after two minutes, unless it is told otherwise.
	idleLimit = time.Minute
)

// socket is the connections to the daemon. Whoever has a request writes it and reads the answer itself. http.Transport
// has two goroutines for each connection instead, and the switches between them cost more CPU time than all else that
// a caller does for an assertion.
type socket struct {
	path   string
	dialer net.Dialer

	mu   sync.Mutex
	idle []*connection // the last used last
}

// connection is one connection, for one request at a time.
type connection struct {
	net.Conn
	limit *io.LimitedReader // of what may yet come for this request
	r     *bufio.Reader
	w     *bufio.Writer
	since time.Time // when it became idle; zero: it is new
}

// exchange sends a request and reads the whole answer, of which at most maxAnswer bytes count. A connection that the
// daemon closed while it was idle is replaced by another: to ask twice costs no more than a place in a budget.
func (s *socket) exchange(request *http.Request) (*http.Response, []byte, error) {
	for {
		c, err := s.take(request.Context())
		if err != nil {
			return nil, nil, err
		}
		response, text, err := c.exchange(request)
		if err == nil {
			s.put(c, response, text)
			return response, text, nil
		}
		_ = c.Close()
		if cause := context.Cause(request.Context()); cause != nil {
			return nil, nil, cause
		}
		if response != nil || c.since.IsZero() {
			return nil, nil, err
		}
		if request.GetBody != nil {
			if request.Body, err = request.GetBody(); err != nil {
				return nil, nil, err
			}
		}
	}
}

// take gives the connection that was used last, or a new one.
func (s *socket) take(ctx context.Context) (*connection, error) {
	s.mu.Lock()
	if last := len(s.idle) - 1; last >= 0 {
		c := s.idle[last]
		s.idle[last] = nil
		s.idle = s.idle[:last]
		s.mu.Unlock()
		return c, nil
	}
	s.mu.Unlock()
	conn, err := s.dialer.DialContext(ctx, "unix", s.path)
	if err != nil {
		return nil, err
	}
	limit := &io.LimitedReader{R: conn}
	return &connection{Conn: conn, limit: limit, r: bufio.NewReader(limit), w: bufio.NewWriter(conn)}, nil
}

// put keeps a connection for the next request, if it can have one, and lets go of the one that has waited longest, if
// that is long enough.
func (s *socket) put(c *connection, response *http.Response, text []byte) {
	c.since = time.Now()
	spare := c
	s.mu.Lock()
	if !response.Close && len(text) < maxAnswer && c.r.Buffered() == 0 && len(s.idle) < maxIdle {
		s.idle = append(s.idle, c)
		spare = nil
		if c.since.Sub(s.idle[0].since) > idleLimit {
			spare = s.idle[0]
			s.idle = s.idle[1:]
		}
	}
	s.mu.Unlock()
	if spare != nil {
		_ = spare.Close()
	}
}

// closeIdle closes the connections that wait.
func (s *socket) closeIdle() {
	s.mu.Lock()
	idle := s.idle
	s.idle = nil
	s.mu.Unlock()
	for _, c := range idle {
		_ = c.Close()
	}
}

// exchange sends a request and reads the answer. With an error it returns the response if one had begun. The connection
// is of no further use then, nor once the request's context has ended.
func (c *connection) exchange(request *http.Request) (*http.Response, []byte, error) {
	ctx := request.Context()
	interrupt := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer interrupt()
	// An answer without an end, or with a header without one, comes to an end here.
	c.limit.N = maxAnswer + maxHeader
	failed := c.send(request)
	// A daemon that refuses a request before it has all of it has answered nevertheless.
	response, err := http.ReadResponse(c.r, request)
	if err != nil {
		if failed != nil {
			err = failed
		}
		return nil, nil, err
	}
	// The body is not closed, which would wait for the rest of one that is too long: put closes the connection.
	response.Close = response.Close || failed != nil
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err == nil && !interrupt() && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return response, text, err
}

func (c *connection) send(request *http.Request) error {
	if err := request.Write(c.w); err != nil {
		return err
	}
	return c.w.Flush()
}
