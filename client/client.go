package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/assertd/assertd/ipc"
)

// DefaultSocket is where the daemon's packages put its socket.
const DefaultSocket = "/run/assertd/assertd.sock"

// Client is a connection pool to one daemon. It is safe for concurrent use;
// make one and keep it.
type Client struct {
	socket *socket
	retry  time.Duration // the longest wait before the one second attempt
	now    func() time.Time
}

// New makes a client of the daemon at a socket. It does not connect yet.
func New(socketPath string) (*Client, error) {
	if socketPath == "" || socketPath[0] == '@' {
		return nil, fmt.Errorf("socket %q: want the path of assertd's socket, such as %s", socketPath, DefaultSocket)
	}
	return &Client{socket: &socket{path: socketPath}, retry: 2 * time.Second, now: time.Now}, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.socket.closeIdle() }

// Assert asks for one signed assertion. It works until it expires for whoever
// holds it: send it to its receiver, once, and neither keep nor log it.
func (c *Client) Assert(ctx context.Context, req ipc.AssertionRequest) (ipc.AssertionResponse, error) {
	answer, err := call[ipc.AssertionResponse](ctx, c, http.MethodPost, "/v1/assertions", req)
	if err == nil && answer.Assertion == "" {
		return answer, fmt.Errorf("%w: its answer holds no assertion", ErrNotAssertd)
	}
	return answer, err
}

// AssertBatch asks for up to ipc.MaxBatch assertions at once. Each has a result
// of its own, in the order of the requests; refused ones are not asked for again.
func (c *Client) AssertBatch(ctx context.Context, reqs []ipc.AssertionRequest) ([]ipc.BatchResult, error) {
	answer, err := call[ipc.BatchResponse](ctx, c, http.MethodPost, "/v1/assertions/batch", ipc.BatchRequest{Requests: reqs})
	if err == nil && len(answer.Results) != len(reqs) {
		return nil, fmt.Errorf("%w: %d results for %d requests", ErrNotAssertd, len(answer.Results), len(reqs))
	}
	return answer.Results, err
}

// AssertFunc returns a function that gives a fresh assertion each time: the
// callback that other libraries take, such as azidentity's
// NewClientAssertionCredential.
func (c *Client) AssertFunc(req ipc.AssertionRequest) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		answer, err := c.Assert(ctx, req)
		return answer.Assertion, err
	}
}

// Sign asks for a raw signature with a key set whose use is raw. [Client.Signer]
// does it by the conventions of crypto.Signer.
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

// Health returns the daemon's version if it is alive; it may not be able to sign.
func (c *Client) Health(ctx context.Context) (ipc.HealthResponse, error) {
	return call[ipc.HealthResponse](ctx, c, http.MethodGet, "/v1/health", nil)
}

// Ready says whether the daemon could sign now, and where it could not, why. It
// is an error only if there is no answer.
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
		return ready, c.foreign(response)
	}
	if !ready.Ready && ready.Reason == "" {
		return ready, c.problemOf(response, text)
	}
	return ready, nil
}
