package client

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"syscall"
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

// unansweredError means that the connection broke when the daemon could have
// read the whole request. Whether it acted is unknown.
type unansweredError struct{ cause error }

func (e *unansweredError) Error() string {
	return "the connection broke before the whole response came: " + e.cause.Error()
}

func (e *unansweredError) Unwrap() error { return e.cause }

// exchange sends a request and reads the whole response. The error is
// errTooLong if it has more than p.most bytes. If the daemon closed the
// connection while it was idle, exchange repeats the request on a new one,
// unless the daemon may have acted on it: see repeatable.
func (p *pool) exchange(request *http.Request) (*http.Response, []byte, error) {
	c, err := p.get(request.Context())
	if err != nil {
		return nil, nil, err
	}
	reused := !c.idleSince.IsZero()
	response, text, err := p.use(c, request)
	if err == nil || !reused || !repeatable(request.Method, err) || request.Context().Err() != nil {
		return response, text, err
	}
	p.closeIdle() // the daemon that had them is gone
	if request.GetBody != nil {
		if request.Body, err = request.GetBody(); err != nil {
			return nil, nil, err
		}
	}
	if c, err = p.dial(request.Context()); err != nil {
		return nil, nil, err
	}
	return p.use(c, request)
}

// repeatable reports whether a request that failed can be sent again without
// being acted on twice.
func repeatable(method string, err error) bool {
	var unanswered *unansweredError
	return !errors.Is(err, errTooLong) && (method == http.MethodGet || !errors.As(err, &unanswered))
}

// use makes one exchange on a connection, and then keeps or closes it.
func (p *pool) use(c *connection, request *http.Request) (*http.Response, []byte, error) {
	response, text, err := c.exchange(request, p.most)
	if err == nil {
		p.put(c, response)
		return response, text, nil
	}
	_ = c.Close()
	if cause := context.Cause(request.Context()); cause != nil {
		err = cause
	}
	return nil, nil, err
}

// get returns the most recently used connection, or a new one. If the daemon
// closed an idle connection, it restarted, so the others are closed as well.
func (p *pool) get(ctx context.Context) (*connection, error) {
	c := p.pop()
	if c == nil {
		return p.dial(ctx)
	}
	if c.alive() {
		return c, nil
	}
	_ = c.Close()
	p.closeIdle()
	return p.dial(ctx)
}

// pop removes the most recently used connection from the idle ones.
func (p *pool) pop() *connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.idle) - 1
	if last < 0 {
		return nil
	}
	c := p.idle[last]
	p.idle[last] = nil
	p.idle = p.idle[:last]
	return c
}

func (p *pool) dial(ctx context.Context) (*connection, error) {
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

// alive reports whether an idle connection is still open. It has nothing to
// read: anything but "try again" is its end, or the remains of a response.
func (c *connection) alive() bool {
	conn, ok := c.Conn.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	var peeked error
	err = raw.Read(func(fd uintptr) bool {
		_, _, peeked = syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return true
	})
	return err == nil && errors.Is(peeked, syscall.EAGAIN)
}

// exchange sends a request and reads the response. The connection can't be
// reused after an error, nor after the request's context has ended.
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
		return nil, nil, unanswered(sendErr, err)
	}
	// Closing the body would wait for the rest of one that is too long; the
	// connection is closed instead.
	response.Close = response.Close || sendErr != nil
	text, err := io.ReadAll(io.LimitReader(response.Body, most+1))
	switch {
	case int64(len(text)) > most:
		err = errTooLong
	case err != nil:
		err = &unansweredError{err}
	case !interrupt() && ctx.Err() != nil:
		err = context.Cause(ctx)
	}
	return response, text, err
}

// unanswered is the error of a request without a response. A request that was
// not written whole was not acted on. Nor was one that met ECONNRESET: Linux
// resets a Unix socket if the other end closed it before it read everything
// (unix_release_sock in af_unix.c), and after the last byte that it needs, the
// daemon gets nothing more from us. Other systems don't promise that.
func unanswered(sendErr, readErr error) error {
	switch {
	case sendErr != nil:
		return sendErr
	case runtime.GOOS == "linux" && errors.Is(readErr, syscall.ECONNRESET):
		return readErr
	}
	return &unansweredError{readErr}
}

func (c *connection) send(request *http.Request) error {
	if err := request.Write(c.w); err != nil {
		return err
	}
	return c.w.Flush()
}
