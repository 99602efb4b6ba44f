package client

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// maxHeader limits the header of a response and the framing of its body, in
	// bytes.
	maxHeader = 64 << 10
	// maxIdle is the number of idle connections to keep.
	maxIdle = 64
	// idleLimit is how long to keep them. By default the daemon closes an idle
	// connection after two minutes.
	idleLimit = time.Minute
)

// errTooLong means that a response has more bytes than expected from assertd.
var errTooLong = errors.New("the response is too long")

// pool is a pool of connections to the daemon. The goroutine that has a request
// writes it and reads the response itself. http.Transport uses two goroutines
// for each connection, and switching between them costs more CPU time than
// everything else that a caller does for an assertion.
type pool struct {
	path   string
	most   int64 // bytes in the body of a response
	dialer net.Dialer

	mu   sync.Mutex
	idle []*connection // most recently used last
}

// connection carries one request at a time.
type connection struct {
	net.Conn
	limit     *io.LimitedReader // what the current response may still use
	r         *bufio.Reader
	w         *bufio.Writer
	idleSince time.Time // zero for a new connection
}

// exchange sends a request and reads the whole response. The error is
// errTooLong if it has more than p.most bytes. If the daemon closed the
// connection while it was idle, exchange repeats the request on another one. A
// request that the daemon did get is then counted twice against a rate budget;
// nothing else comes of it.
func (p *pool) exchange(request *http.Request) (*http.Response, []byte, error) {
	for {
		c, err := p.get(request.Context())
		if err != nil {
			return nil, nil, err
		}
		response, text, err := c.exchange(request, p.most)
		if err == nil {
			p.put(c, response)
			return response, text, nil
		}
		_ = c.Close()
		if cause := context.Cause(request.Context()); cause != nil {
			return nil, nil, cause
		}
		if response != nil || c.idleSince.IsZero() {
			return nil, nil, err
		}
		if request.GetBody != nil {
			if request.Body, err = request.GetBody(); err != nil {
				return nil, nil, err
			}
		}
	}
}

// get returns the most recently used connection, or a new one.
func (p *pool) get(ctx context.Context) (*connection, error) {
	p.mu.Lock()
	if last := len(p.idle) - 1; last >= 0 {
		c := p.idle[last]
		p.idle[last] = nil
		p.idle = p.idle[:last]
		p.mu.Unlock()
		return c, nil
	}
	p.mu.Unlock()
	conn, err := p.dialer.DialContext(ctx, "unix", p.path)
	if err != nil {
		return nil, err
	}
	limit := &io.LimitedReader{R: conn}
	return &connection{Conn: conn, limit: limit, r: bufio.NewReader(limit), w: bufio.NewWriter(conn)}, nil
}

// put keeps a connection for the next request if it can be reused, and closes
// the one that has been idle longest once that is too long.
func (p *pool) put(c *connection, response *http.Response) {
	c.idleSince = time.Now()
	surplus := c
	p.mu.Lock()
	if !response.Close && c.r.Buffered() == 0 && len(p.idle) < maxIdle {
		p.idle = append(p.idle, c)
		surplus = nil
		if c.idleSince.Sub(p.idle[0].idleSince) > idleLimit {
			surplus = p.idle[0]
			p.idle = p.idle[1:]
		}
	}
	p.mu.Unlock()
	if surplus != nil {
		_ = surplus.Close()
	}
}

// closeIdle closes the idle connections.
func (p *pool) closeIdle() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, c := range idle {
		_ = c.Close()
	}
}

// exchange sends a request and reads the response. On an error it returns the
// response if one had begun. The connection can't be reused after an error, nor
// after the request's context has ended.
func (c *connection) exchange(request *http.Request, most int64) (*http.Response, []byte, error) {
	ctx := request.Context()
	interrupt := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer interrupt()
	// Stops a response with an endless header or body.
	c.limit.N = most + maxHeader
	sendErr := c.send(request)
	// A daemon that refuses a request before it has read all of it has still
	// sent a response.
	response, err := http.ReadResponse(c.r, request)
	if err != nil {
		if sendErr != nil {
			err = sendErr
		}
		return nil, nil, err
	}
	// Closing the body would wait for the rest of one that is too long; the
	// connection is closed instead.
	response.Close = response.Close || sendErr != nil
	text, err := io.ReadAll(io.LimitReader(response.Body, most+1))
	if int64(len(text)) > most {
		err = errTooLong
	}
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
