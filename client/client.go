package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/assertd/assertd/ipc"
)

// DefaultSocket is where the daemon's packages put its socket.
const DefaultSocket = "/run/assertd/assertd.sock"

// maxAnswer bounds what is read of one answer, in bytes: a batch of long
// assertions fits several times over.
const maxAnswer = 4 << 20

// ErrUnavailable means that no daemon answered on the socket.
var ErrUnavailable = errors.New("assertd can't be reached")

// ErrNotAssertd means that what answered on the socket does not speak this API.
var ErrNotAssertd = errors.New("the answer is not assertd's")

// Client is a connection pool to one daemon. It is safe for concurrent use;
// make one and keep it.
type Client struct {
	socket string
	http   *http.Client
	retry  time.Duration // the longest wait before the one second attempt
}

// New makes a client of the daemon at a socket. It does not connect yet.
func New(socket string) (*Client, error) {
	if socket == "" || socket[0] == '@' {
		return nil, fmt.Errorf("socket %q: want the path of assertd's socket, such as %s", socket, DefaultSocket)
	}
	dialer := &net.Dialer{}
	return &Client{
		socket: socket,
		retry:  2 * time.Second,
		http: &http.Client{Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, "unix", socket)
			},
			MaxIdleConnsPerHost: 64,
			IdleConnTimeout:     time.Minute,
			DisableCompression:  true,
		}},
	}, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Assert asks for one signed assertion. An error of the daemon is an
// *ipc.Problem; ErrUnavailable where there is no daemon. A problem of status 503
// is tried once more after the time that the daemon names, if ctx allows.
func (c *Client) Assert(ctx context.Context, req ipc.AssertionRequest) (ipc.AssertionResponse, error) {
	return call[ipc.AssertionResponse](ctx, c, http.MethodPost, "/v1/assertions", req)
}

// AssertBatch asks for up to ipc.MaxBatch assertions at once. Each has a result
// of its own, in the order of the requests.
func (c *Client) AssertBatch(ctx context.Context, reqs []ipc.AssertionRequest) ([]ipc.BatchResult, error) {
	answer, err := call[ipc.BatchResponse](ctx, c, http.MethodPost, "/v1/assertions/batch", ipc.BatchRequest{Requests: reqs})
	if err == nil && len(answer.Results) != len(reqs) {
		return nil, fmt.Errorf("%w: %d results for %d requests", ErrNotAssertd, len(answer.Results), len(reqs))
	}
	return answer.Results, err
}

// Sign asks for a raw signature with a key set whose use is raw.
func (c *Client) Sign(ctx context.Context, req ipc.SignRequest) (ipc.SignResponse, error) {
	return call[ipc.SignResponse](ctx, c, http.MethodPost, "/v1/sign", req)
}

// Grants lists what this process may have signed, and what is left of each budget.
func (c *Client) Grants(ctx context.Context) (ipc.GrantsResponse, error) {
	return call[ipc.GrantsResponse](ctx, c, http.MethodGet, "/v1/grants", nil)
}

// Keys lists the raw key sets that this process may use.
func (c *Client) Keys(ctx context.Context) (ipc.KeysResponse, error) {
	return call[ipc.KeysResponse](ctx, c, http.MethodGet, "/v1/keys", nil)
}

// JWKS returns the public JWK set (RFC 7517 section 5) as the daemon serves it.
func (c *Client) JWKS(ctx context.Context) (json.RawMessage, error) {
	return call[json.RawMessage](ctx, c, http.MethodGet, "/v1/jwks", nil)
}

// call makes a request and, after a 503 or a daemon that went away in between,
// one more. A request that was answered is never sent twice.
func call[T any](ctx context.Context, c *Client, method, path string, body any) (T, error) {
	answer, err := once[T](ctx, c, method, path, body)
	wait, again := c.retryAfter(err)
	if !again {
		return answer, err
	}
	select {
	case <-ctx.Done():
		return answer, err
	case <-time.After(wait):
	}
	return once[T](ctx, c, method, path, body)
}

// retryAfter says whether a second attempt is worth it, and when.
func (c *Client) retryAfter(err error) (time.Duration, bool) {
	var problem *ipc.Problem
	switch {
	case errors.As(err, &problem):
		return min(c.retry, problem.RetryAfter()), problem.Status == http.StatusServiceUnavailable
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF):
		return c.retry / 10, true
	}
	return 0, false
}

func once[T any](ctx context.Context, c *Client, method, path string, body any) (answer T, err error) {
	request, err := newRequest(ctx, method, path, body)
	if err != nil {
		return answer, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return answer, c.unavailable(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return answer, c.unavailable(err)
	}
	if response.StatusCode != http.StatusOK {
		return answer, problemOf(response, text)
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return answer, fmt.Errorf("%w: %w", ErrNotAssertd, err)
	}
	return answer, nil
}

func newRequest(ctx context.Context, method, path string, body any) (*http.Request, error) {
	if body == nil {
		return http.NewRequestWithContext(ctx, method, "http://assertd"+path, nil)
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://assertd"+path, bytes.NewReader(text))
	if err == nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, err
}

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
		advice = "; nobody listens: start the daemon"
	}
	return fmt.Errorf("%w at %s: %w%s", ErrUnavailable, c.socket, err, advice)
}

// problemOf reads a problem document (RFC 9457).
func problemOf(response *http.Response, text []byte) error {
	var problem ipc.Problem
	if err := json.Unmarshal(text, &problem); err != nil || problem.Code == "" {
		return fmt.Errorf("%w: HTTP status %s, %s", ErrNotAssertd, response.Status, response.Header.Get("Content-Type"))
	}
	return &problem
}
