package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/assertd/assertd/ipc"
)

// maxSocketPath is the longest path that fits sun_path of unix(7), in bytes.
const maxSocketPath = 107

// ErrWrongSocket means that a caller's request went to the operator socket, or
// an operator's to a callers' socket. The error also matches
// [ipc.CodeNotFound].
var ErrWrongSocket = errors.New("wrong socket")

// wrongSocketError says what ErrWrongSocket means here. The message leaves out
// the daemon's answer, which says the same.
type wrongSocketError struct {
	says     string
	notFound error
}

func (e *wrongSocketError) Error() string   { return ErrWrongSocket.Error() + ": " + e.says }
func (e *wrongSocketError) Unwrap() []error { return []error{ErrWrongSocket, e.notFound} }

// checkSocket returns the path in a path or a unix:// URL.
func checkSocket(socket string) (string, error) {
	path, isURL := strings.CutPrefix(socket, "unix://")
	switch {
	case path == "" || path[0] == '@':
		return "", fmt.Errorf("socket %q: want a path such as %s", socket, DefaultSocket)
	case isURL && path[0] != '/':
		return "", fmt.Errorf("socket %q: a URL of a socket has no host; write unix:///path, with three slashes", socket)
	case strings.Contains(path, "://"):
		return "", fmt.Errorf("socket %q: assertd listens on Unix sockets only; want a path or unix:///path", socket)
	case len(path) > maxSocketPath:
		return "", fmt.Errorf("socket %q: the path has %d bytes, and a Unix socket allows %d; use a shorter path, or a symbolic link to the directory",
			socket, len(path), maxSocketPath)
	}
	return path, nil
}

// answers reports whether the daemon has a path: any status but 404 will do.
func (c *Client) answers(ctx context.Context, path string) bool {
	request, err := newRequest(ctx, http.MethodGet, path, nil)
	if err != nil {
		return false
	}
	response, _, err := c.pool.exchange(request)
	return err == nil && response.StatusCode != http.StatusNotFound
}

// wrongSocket explains a 404 by the kind of socket, or returns nil if it is the
// right kind. Only callers' sockets have /v1/health.
func (c *Client) wrongSocket(ctx context.Context, notFound error) error {
	if c.answers(ctx, "/v1/health") || !c.answers(ctx, "/healthz") {
		return nil
	}
	return &wrongSocketError{fmt.Sprintf("%s is the operator socket; callers use another one, by default %s", c.pool.path, DefaultSocket), notFound}
}

func (o *Operator) wrongSocket(ctx context.Context, notFound error) error {
	if !errors.Is(notFound, ipc.CodeNotFound) || !o.client.answers(ctx, "/v1/health") {
		return notFound
	}
	return &wrongSocketError{
		fmt.Sprintf("%s is a callers' socket; operators use another one, by default %s", o.client.pool.path, DefaultOperatorSocket), notFound,
	}
}
