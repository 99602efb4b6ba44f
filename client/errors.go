package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"syscall"

	"github.com/assertd/assertd/ipc"
)

// ErrUnavailable means that no daemon answered on the socket.
var ErrUnavailable = errors.New("assertd can't be reached")

// ErrNotAssertd means that what answered on the socket does not speak this API.
var ErrNotAssertd = errors.New("the answer is not assertd's")

// ErrVersion means that the daemon does not know a call of this package. The
// problem [ipc.CodeNotFound] is in its chain.
var ErrVersion = errors.New("assertd is of another version")

// unavailable says why nobody answered and what to do about it.
func (c *Client) unavailable(err error) error {
	advice := ""
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, fs.ErrNotExist):
		advice = "; there is no such socket: is the daemon running, and is this its path?"
	case errors.Is(err, fs.ErrPermission):
		advice = "; this user may not connect: ask for the group that owns the socket"
	case errors.Is(err, syscall.ECONNREFUSED):
		advice = "; nobody listens there: start the daemon, and check that this is its socket"
	}
	return fmt.Errorf("%w at %s: %w%s", ErrUnavailable, c.socket.path, err, advice)
}

// problemOf reads a problem document (RFC 9457).
func (c *Client) problemOf(response *http.Response, text []byte) error {
	var problem ipc.Problem
	if err := json.Unmarshal(text, &problem); err != nil || problem.Code == "" {
		return c.foreign(response)
	}
	// Everything here goes by the status; what the line says is what was sent.
	problem.Status = response.StatusCode
	return &problem
}

// foreign describes an answer of something that is not assertd.
func (c *Client) foreign(response *http.Response) error {
	return fmt.Errorf("%w: %s answered HTTP %s with %s; is this another program's socket?",
		ErrNotAssertd, c.socket.path, response.Status, contentKind(response))
}

// contentKind is the media type of an answer, for people.
func contentKind(response *http.Response) string {
	kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil || kind == "" {
		return "no content type"
	}
	return kind
}

// olderDaemon explains a call that the daemon does not know by its version.
func (c *Client) olderDaemon(ctx context.Context, unknown error, what string) error {
	version := "which it does not tell"
	if health, err := once[ipc.HealthResponse](ctx, c, http.MethodGet, "/v1/health", nil); err == nil {
		version = health.Version
	}
	return fmt.Errorf("%w (%s) and does not know %s: update the daemon, or use the client of its version: %w", ErrVersion, version, what, unknown)
}
