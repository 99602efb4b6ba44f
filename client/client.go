package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/assertd/assertd/ipc"
)

// DefaultSocket is the socket path in assertd's Debian package and images.
const DefaultSocket = "/run/assertd/assertd.sock"

// Client is a connection pool to one daemon. It is safe for concurrent use;
// make one and keep it.
type Client struct {
	pool          *pool
	maxRetryDelay time.Duration // if the daemon asks for more, the error is returned
	now           func() time.Time
}

// New returns a client for the daemon at a socket path, which may be written as
// a URL, unix:///path. It does not connect yet.
func New(socketPath string) (*Client, error) {
	path, err := checkSocket(socketPath)
	if err != nil {
		return nil, err
	}
	return &Client{pool: &pool{path: path, most: maxResponse}, maxRetryDelay: 2 * time.Second, now: time.Now}, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.pool.closeIdle() }

// Assert asks for one signed assertion. Until it expires, anyone who holds it
// can use it: send it to its receiver, once, and never store or log it.
func (c *Client) Assert(ctx context.Context, req ipc.AssertionRequest) (ipc.AssertionResponse, error) {
	answer, err := call[ipc.AssertionResponse](ctx, c, http.MethodPost, "/v1/assertions", req)
	if err == nil && answer.Assertion == "" {
		return answer, fmt.Errorf("%w: no assertion in the response", ErrNotAssertd)
	}
	return answer, err
}

// AssertBatch asks for up to [ipc.MaxBatch] assertions in one call. Each
// request has its own result, in the same order. Refused requests are not
// retried.
func (c *Client) AssertBatch(ctx context.Context, reqs []ipc.AssertionRequest) ([]ipc.BatchResult, error) {
	batch := ipc.BatchRequest{Requests: reqs}
	answer, err := call[ipc.BatchResponse](ctx, c, http.MethodPost, "/v1/assertions/batch", batch)
	if err == nil && len(answer.Results) != len(reqs) {
		return nil, fmt.Errorf("%w: got %d results for %d requests", ErrNotAssertd, len(answer.Results), len(reqs))
	}
	return answer.Results, err
}

// AssertFunc returns a function that returns a fresh assertion on each call:
// the callback that libraries such as azidentity (NewClientAssertionCredential)
// take.
func (c *Client) AssertFunc(req ipc.AssertionRequest) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		answer, err := c.Assert(ctx, req)
		return answer.Assertion, err
	}
}

// Sign asks for a raw signature with a key set whose use is raw.
// [Client.Signer] wraps it in a crypto.Signer.
func (c *Client) Sign(ctx context.Context, req ipc.SignRequest) (ipc.SignResponse, error) {
	return call[ipc.SignResponse](ctx, c, http.MethodPost, "/v1/sign", req)
}

// Grants lists this process's grants and what remains of each rate budget.
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

// Health returns the daemon's version if it is running, whether or not it can
// sign.
func (c *Client) Health(ctx context.Context) (ipc.HealthResponse, error) {
	return call[ipc.HealthResponse](ctx, c, http.MethodGet, "/v1/health", nil)
}

// Ready reports whether the daemon can sign now and, if it can't, why. A daemon
// that is not ready is not an error.
func (c *Client) Ready(ctx context.Context) (ipc.ReadyResponse, error) {
	request, err := newRequest(ctx, http.MethodGet, "/v1/ready", nil)
	if err != nil {
		return ipc.ReadyResponse{}, err
	}
	response, text, err := c.exchange(request)
	if err != nil {
		return ipc.ReadyResponse{}, err
	}
	var ready ipc.ReadyResponse
	if err := json.Unmarshal(text, &ready); err != nil {
		return ready, c.notAssertd(response)
	}
	if !ready.Ready && ready.Reason == "" {
		return ready, c.parseProblem(response, text)
	}
	return ready, nil
}
