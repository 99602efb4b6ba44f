package daemon

import (
	"os"

	"github.com/assertd/assertd/internal/metrics"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/signer"
)

// status is the daemon's state now, for operators and for metrics,
// without the counts of decisions, which the metrics have. It never waits for
// the HSM or the disk.
func (d *Daemon) status() ipc.StatusResponse {
	connections, limit := d.connections()
	keys, sandbox := d.keyStatus(), d.Sandbox
	sandbox.Refused = d.Family.Found()
	return ipc.StatusResponse{
		Version: d.Version, PID: os.Getpid(), Started: d.started, Now: d.Now(),
		Ready: d.ready.answer(), Tokens: d.pool.Tokens(), Keys: keys, Listeners: d.listenerStatus(),
		Connections: connections, ConnectionLimit: limit,
		JWKS: d.publish.Status(), Audit: d.trail.Status(), Reload: d.LastReload().ReloadStatus,
		PolicyDigest: d.digest(), Freeze: d.freezeStatus(), Store: d.storeStatus(), SharedBudgets: d.limiter.Fleet(),
		Clients: d.clientStatus(d.names().Grants, keys), Sandbox: sandbox,
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// connections returns how many connections callers have open, and how many they
// can have.
func (d *Daemon) connections() (open, limit int) {
	if server := d.server.Load(); server != nil {
		return server.Connections(), server.MaxConnections()
	}
	return 0, d.Config.Limits.Connections
}

func (d *Daemon) keyStatus() []ipc.KeySetStatus {
	keys := d.rotation.Plans()
	for i, key := range keys {
		keys[i].Budgets = d.signing.Budgets(signer.KeyBudget(key.Name))
	}
	return keys
}

func (d *Daemon) listenerStatus() []ipc.ListenerStatus {
	all := []ipc.ListenerStatus{}
	for _, l := range d.Config.Listen {
		all = append(all, ipc.ListenerStatus{Socket: l.Socket, Client: l.Client, Kubernetes: d.kubernetes[l.Socket].Status()})
	}
	return all
}

// clientStatus lists the clients in the order of the configuration. The budgets
// of a grant are its own and those of its key set.
func (d *Daemon) clientStatus(grants []metrics.Grant, keys []ipc.KeySetStatus) []ipc.ClientStatus {
	shared := make(map[string][]ipc.BudgetInfo, len(keys))
	for _, key := range keys {
		shared[key.Name] = key.Budgets
	}
	clients := []ipc.ClientStatus{}
	for _, g := range grants {
		if len(clients) == 0 || clients[len(clients)-1].Name != g.Client {
			clients = append(clients, ipc.ClientStatus{Name: g.Client})
		}
		client := &clients[len(clients)-1]
		budgets := d.signing.Budgets(signer.GrantBudget(g.Client, g.Name))
		client.Grants = append(client.Grants, ipc.GrantStatus{
			Name: g.Name, Key: g.Key, Use: g.Use, Budgets: append(budgets, shared[g.Key]...),
		})
	}
	return clients
}
