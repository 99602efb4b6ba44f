package daemon

import (
	"context"
	"fmt"

	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/ipc/peer"
	"github.com/assertd/assertd/ipc/server"
)

// operator is what the operator's socket serves.
type operator struct{ daemon *Daemon }

var _ server.Operator = operator{}

// operate serves the operator's socket while the group runs, if the
// configuration has one: from before the workers start until the daemon has
// drained.
func (d *Daemon) operate(g *group) error {
	socket := d.Config.Operator.Socket
	if socket == "" {
		return nil
	}
	listener, err := peer.Listen(peer.Socket{Path: socket, Mode: server.OperatorMode, Trust: d.Config.Trust()})
	if err != nil {
		return fmt.Errorf("operator.socket: %w", err)
	}
	server := server.NewOperatorServer(operator{d}, server.OperatorOptions{Logger: d.Logger, Monitor: d.monitor(), Family: d.Family})
	g.run(func(ctx context.Context) error { return server.Serve(ctx, listener) })
	return nil
}

// Reload implements server.Operator.
func (o operator) Reload(context.Context) error { return o.daemon.Reload() }

// RetryPIN implements server.Operator.
func (o operator) RetryPIN(ctx context.Context, from caller.Caller) error {
	return o.daemon.retryPIN(ctx, from)
}

// ReopenLogs implements server.Operator.
func (o operator) ReopenLogs(context.Context) error { return o.daemon.ReopenLogs() }

// Freeze implements server.Operator.
func (o operator) Freeze(ctx context.Context, from caller.Caller, req ipc.FreezeRequest) (ipc.FreezeResponse, error) {
	return o.daemon.freezes.Freeze(ctx, from, req, o.daemon.freezable())
}

// Thaw implements server.Operator.
func (o operator) Thaw(ctx context.Context, from caller.Caller, target ipc.FreezeTarget) (ipc.ThawResponse, error) {
	return o.daemon.freezes.Thaw(ctx, from, target)
}

// Drain implements server.Operator. It does what SIGTERM does.
func (o operator) Drain(context.Context) { o.daemon.stop() }

// Status implements server.Operator.
func (o operator) Status(context.Context) (ipc.StatusResponse, error) {
	return o.daemon.counted(), nil
}

// counted is the status with the counts of decisions.
func (d *Daemon) counted() ipc.StatusResponse {
	status := d.status()
	status.Unmatched = d.metrics.Totals().Count(status.Clients)
	return status
}
