package daemon

import (
	"context"
	"fmt"
	"os"

	"github.com/assertd/assertd/internal/metrics"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/peer"
	"github.com/assertd/assertd/ipc/server"
	"github.com/assertd/assertd/signer"
)

// operator is what the operator's socket serves.
type operator struct{ daemon *Daemon }

var _ server.Operator = operator{}

// operate serves the operator's socket while the group runs, if the configuration
// has one. It is there before the workers are, and until the last of the drain.
func (d *Daemon) operate(g *group) error {
	socket := d.Config.Operator.Socket
	if socket == "" {
		return nil
	}
	listener, err := peer.Listen(peer.Socket{Path: socket, Mode: server.OperatorMode})
	if err != nil {
		return fmt.Errorf("operator.socket: %w", err)
	}
	server := server.NewOperatorServer(operator{d}, server.OperatorOptions{Logger: d.Logger, Monitor: d.monitor()})
	g.run(func(ctx context.Context) error { return server.Serve(ctx, listener) })
	return nil
}

// Reload implements server.Operator.
func (o operator) Reload(context.Context) error { return o.daemon.Reload() }

// Drain implements server.Operator: it is SIGTERM by other means.
func (o operator) Drain(context.Context) { o.daemon.stop() }

// Status implements server.Operator.
func (o operator) Status(context.Context) (ipc.StatusResponse, error) {
	d := o.daemon
	connections, limit := d.connections()
	reload, published := d.LastReload(), d.publish.last()
	status := ipc.StatusResponse{
		Version: d.Version, PID: os.Getpid(), Started: d.started, Now: d.Now(),
		Ready: d.ready.answer(), Tokens: d.tokenStatus(), Keys: d.rotation.Plans(), Listeners: d.listenerStatus(),
		Connections: connections, ConnectionLimit: limit,
		JWKS:   ipc.JWKSStatus{Published: published.at, Keys: published.keys, Error: text(published.err)},
		Audit:  d.auditStatus(),
		Reload: ipc.ReloadStatus{Success: reload.Success, Failure: reload.Failure, Error: text(reload.Err)},
	}
	status.Clients, status.Unmatched = d.clientStatus(d.metrics.Totals())
	return status, nil
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func (d *Daemon) tokenStatus() []ipc.TokenStatus {
	all := []ipc.TokenStatus{}
	for _, w := range d.pool.Status() {
		if len(all) == 0 || all[len(all)-1].Name != w.Token {
			all = append(all, ipc.TokenStatus{Name: w.Token})
		}
		token := &all[len(all)-1]
		token.Workers = append(token.Workers, w)
	}
	return all
}

func (d *Daemon) listenerStatus() []ipc.ListenerStatus {
	all := []ipc.ListenerStatus{}
	for _, l := range d.Config.Listen {
		all = append(all, ipc.ListenerStatus{Socket: l.Socket, Client: l.Client})
	}
	return all
}

func (d *Daemon) auditStatus() *ipc.AuditStatus {
	if d.audit == nil {
		return nil
	}
	s := d.audit.Status()
	return &ipc.AuditStatus{
		File: s.File, Error: text(s.Err), Since: s.Since, Refused: s.Refused, Records: s.Records, Lines: s.Lines, Bytes: s.Bytes,
		Pending: s.Pending, UnsyncedSince: s.UnsyncedSince,
		CheckpointLines: s.CheckpointSize, CheckpointTime: s.CheckpointTime, CheckpointError: text(s.CheckpointErr),
	}
}

// clientStatus lists the clients in the order of the configuration, and what was
// refused before any client was found.
func (d *Daemon) clientStatus(t metrics.Totals) (clients []ipc.ClientStatus, unmatched []ipc.CodeCount) {
	refusals, failures := byClient(t.Refusals), byClient(t.Failures)
	clients = []ipc.ClientStatus{}
	for _, g := range d.names().Grants {
		if len(clients) == 0 || clients[len(clients)-1].Name != g.Client {
			clients = append(clients, ipc.ClientStatus{Name: g.Client, Refusals: refusals[g.Client], Failures: failures[g.Client]})
		}
		client := &clients[len(clients)-1]
		client.Grants = append(client.Grants, ipc.GrantStatus{
			Name: g.Name, Key: g.Key, Use: use(g.Raw), Released: t.Released[g],
			Budgets: d.signing.Budgets(signer.GrantBudget(g.Client, g.Name), signer.KeyBudget(g.Key)),
		})
	}
	return clients, append(refusals[""], failures[""]...)
}

func use(raw bool) string {
	if raw {
		return ipc.UseRaw
	}
	return ipc.UseAssertion
}

func byClient(tallies []metrics.Tally) map[string][]ipc.CodeCount {
	all := make(map[string][]ipc.CodeCount)
	for _, t := range tallies {
		all[t.Client] = append(all[t.Client], ipc.CodeCount{Code: ipc.Code(t.Code), Count: t.Count})
	}
	return all
}
