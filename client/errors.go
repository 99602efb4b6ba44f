package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"syscall"

	"github.com/assertd/assertd/ipc"
)

// ErrUnavailable means that no daemon answers on the socket.
var ErrUnavailable = errors.New("cannot reach assertd")

// ErrNotAssertd means that whatever answers on the socket does not speak this
// API.
var ErrNotAssertd = errors.New("not an assertd response")

// ErrVersion means that the daemon is too old, or too new, for a call of this
// package. The error also matches [ipc.CodeNotFound].
var ErrVersion = errors.New("assertd does not support this request")

// unavailable adds the remedy to a connection error.
func (c *Client) unavailable(err error) error {
	remedy := ""
	var unanswered *unansweredError
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, errTooLong):
		return fmt.Errorf("%w: %s returned more than %d bytes; is another program listening there?", ErrNotAssertd, c.pool.path, c.pool.most)
	case errors.As(err, &unanswered):
		remedy = "; the daemon may have acted on the request and counted it against a rate budget, so the client doesn't repeat it"
	case errors.Is(err, fs.ErrNotExist):
		remedy = "; is the daemon running, and is this its socket?"
	case errors.Is(err, fs.ErrPermission):
		remedy = "; ask to join the group that owns the socket"
	case errors.Is(err, syscall.ECONNREFUSED):
		remedy = "; start the daemon, and check that this is its socket"
	}
	return fmt.Errorf("%w at %s: %w%s", ErrUnavailable, c.pool.path, err, remedy)
}

// parseProblem reads a problem document (RFC 9457).
func (c *Client) parseProblem(response *http.Response, text []byte) error {
	var problem ipc.Problem
	if err := json.Unmarshal(text, &problem); err != nil || problem.Code == "" {
		return c.notAssertd(response)
	}
	// The status line is authoritative; the member is only a copy of it.
	problem.Status = response.StatusCode
	return &problem
}

// notAssertd describes a response from something that is not assertd.
func (c *Client) notAssertd(response *http.Response) error {
	return fmt.Errorf("%w: %s returned HTTP %s with %s; is another program listening there?",
		ErrNotAssertd, c.pool.path, statusLine(response), mediaType(response))
}

// statusLine is a response's status with the text that belongs to it. Servers
// can put anything into theirs.
func statusLine(response *http.Response) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", response.StatusCode, http.StatusText(response.StatusCode)))
}

// unsupported explains a 404 by the daemon's version.
func (c *Client) unsupported(ctx context.Context, notFound error, route string) error {
	version := "(unknown)"
	if health, err := attempt[ipc.HealthResponse](ctx, c, http.MethodGet, "/v1/health", nil); err == nil {
		version = health.Version
	}
	return fmt.Errorf("%w: version %s has no %s; upgrade the daemon, or use the client of its version: %w",
		ErrVersion, version, route, notFound)
}
