package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"github.com/assertd/assertd/ipc"
)

// DefaultOperatorSocket is the operator socket path in assertd's Debian package
// and images.
const DefaultOperatorSocket = "/run/assertd/operator.sock"

// maxStatus limits the body of an operator's response, in bytes. Status and
// metrics list every client of the configuration, and 10,000 take about 10 MiB.
const maxStatus = 256 << 20

// Operator is a client for the operator socket, which admits only root and the
// daemon's user. It is safe for concurrent use.
type Operator struct{ client *Client }

// NewOperator returns a client for an operator socket. It does not connect yet.
func NewOperator(socket string) (*Operator, error) {
	c, err := New(socket)
	if err != nil {
		return nil, err
	}
	c.pool.most = maxStatus
	return &Operator{c}, nil
}

// Close closes idle connections.
func (o *Operator) Close() { o.client.Close() }

// Status returns the status of the daemon: workers, keys, audit log, clients.
func (o *Operator) Status(ctx context.Context) (ipc.StatusResponse, error) {
	var status ipc.StatusResponse
	text, err := o.do(ctx, http.MethodGet, "/v1/status")
	if err != nil {
		return status, err
	}
	if err := json.Unmarshal(text, &status); err != nil {
		return status, fmt.Errorf("%w: %w", ErrNotAssertd, err)
	}
	return status, nil
}

// Fleet lists the daemons of the fleet, as far as the daemon knows of them.
func (o *Operator) Fleet(ctx context.Context) (ipc.FleetResponse, error) {
	var fleet ipc.FleetResponse
	text, err := o.do(ctx, http.MethodGet, "/v1/fleet")
	if err != nil {
		return fleet, err
	}
	if err := json.Unmarshal(text, &fleet); err != nil {
		return fleet, fmt.Errorf("%w: %w", ErrNotAssertd, err)
	}
	return fleet, nil
}

// Metrics returns the metrics in the Prometheus text format.
func (o *Operator) Metrics(ctx context.Context) ([]byte, error) {
	return o.do(ctx, http.MethodGet, "/v1/metrics")
}

// Reload makes the daemon reload its configuration. If the daemon rejects it,
// the error matches [ipc.CodeReloadRefused] and says why.
func (o *Operator) Reload(ctx context.Context) error {
	_, err := o.do(ctx, http.MethodPost, "/v1/reload")
	return err
}

// RetryPIN is Reload, and lets each token try its PIN once more that refused it
// or that the next wrong PIN would lock.
func (o *Operator) RetryPIN(ctx context.Context) error {
	_, err := o.do(ctx, http.MethodPost, "/v1/retry-pin")
	return err
}

// ReopenLogs makes the daemon open its log files again, after something such as
// logrotate has moved them away. It doesn't reload the configuration.
func (o *Operator) ReopenLogs(ctx context.Context) error {
	_, err := o.do(ctx, http.MethodPost, "/v1/reopen-logs")
	return err
}

// Freeze makes the daemon sign nothing for a client, a grant, a key set, or
// anyone. It is in force when Freeze returns; the response's warnings say what
// is wrong nonetheless. If the daemon rejects it, the error matches
// [ipc.CodeFreezeRefused] and says why.
func (o *Operator) Freeze(ctx context.Context, req ipc.FreezeRequest) (ipc.FreezeResponse, error) {
	var response ipc.FreezeResponse
	err := o.post(ctx, "/v1/freeze", req, &response)
	return response, err
}

// Thaw ends the freeze of exactly this target. Errors are those of Freeze.
func (o *Operator) Thaw(ctx context.Context, target ipc.FreezeTarget) (ipc.ThawResponse, error) {
	var response ipc.ThawResponse
	err := o.post(ctx, "/v1/thaw", target, &response)
	return response, err
}

// post sends a body and decodes the response.
func (o *Operator) post(ctx context.Context, path string, body, into any) error {
	text, err := o.send(ctx, http.MethodPost, path, body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%w: %w", ErrNotAssertd, err)
	}
	return nil
}

// Drain makes the daemon finish in-flight requests, then stop. Drain does not
// wait for that.
func (o *Operator) Drain(ctx context.Context) error {
	_, err := o.do(ctx, http.MethodPost, "/v1/drain")
	return err
}

// do makes one request without a body.
func (o *Operator) do(ctx context.Context, method, path string) ([]byte, error) {
	return o.send(ctx, method, path, nil)
}

// send makes one request. It does not retry: a reload or drain may have
// happened.
func (o *Operator) send(ctx context.Context, method, path string, body any) ([]byte, error) {
	request, err := newRequest(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	response, text, err := o.client.pool.exchange(request)
	switch {
	case err != nil:
		return nil, o.unavailable(err)
	case response.StatusCode != http.StatusOK && response.StatusCode != http.StatusAccepted:
		return nil, o.wrongSocket(ctx, o.client.parseProblem(response, text))
	}
	return text, nil
}

// unavailable is Client.unavailable, but nobody can join this socket's group.
func (o *Operator) unavailable(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w at %s: %w; the operator socket admits only root and the daemon's user, so become one of them",
			ErrUnavailable, o.client.pool.path, err)
	}
	return o.client.unavailable(err)
}
