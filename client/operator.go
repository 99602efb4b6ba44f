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

// DefaultOperatorSocket is where the daemon's packages put the operator's socket.
const DefaultOperatorSocket = "/run/assertd/operator.sock"

// Operator is a client of the operator's socket, on which only root and the
// daemon's user are let in. It is safe for concurrent use.
type Operator struct{ client *Client }

// NewOperator makes a client of an operator's socket. It does not connect yet.
func NewOperator(socket string) (*Operator, error) {
	c, err := New(socket)
	if err != nil {
		return nil, err
	}
	return &Operator{c}, nil
}

// Close closes idle connections.
func (o *Operator) Close() { o.client.Close() }

// Status says how everything does.
func (o *Operator) Status(ctx context.Context) (ipc.StatusResponse, error) {
	var status ipc.StatusResponse
	text, err := o.ask(ctx, http.MethodGet, "/v1/status")
	if err != nil {
		return status, err
	}
	if err := json.Unmarshal(text, &status); err != nil {
		return status, fmt.Errorf("%w: %w", ErrNotAssertd, err)
	}
	return status, nil
}

// Metrics returns the metrics in Prometheus' text format.
func (o *Operator) Metrics(ctx context.Context) ([]byte, error) {
	return o.ask(ctx, http.MethodGet, "/v1/metrics")
}

// Reload has the daemon read its configuration again. Where it refuses, the error
// matches [ipc.CodeReloadRefused] and says why.
func (o *Operator) Reload(ctx context.Context) error {
	_, err := o.ask(ctx, http.MethodPost, "/v1/reload")
	return err
}

// Drain has the daemon answer what is in flight and end. It returns before that.
func (o *Operator) Drain(ctx context.Context) error {
	_, err := o.ask(ctx, http.MethodPost, "/v1/drain")
	return err
}

// ask makes one request, once: what an operator asks for is not repeated.
func (o *Operator) ask(ctx context.Context, method, path string) ([]byte, error) {
	request, err := newRequest(ctx, method, path, nil)
	if err != nil {
		return nil, err
	}
	response, text, err := o.client.exchange(request)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w (on the operator's socket: root or the daemon's user)", err)
	case err != nil:
		return nil, err
	case response.StatusCode != http.StatusOK && response.StatusCode != http.StatusAccepted:
		return nil, o.client.problemOf(response, text)
	}
	return text, nil
}
