package daemon

import (
	"github.com/assertd/assertd/internal/metrics"
	"github.com/assertd/assertd/signer"
)

// state is what the daemon is at this moment, for metrics. It never waits for the
// HSM or the disk.
func (d *Daemon) state() metrics.State {
	connections, limit := d.connections()
	reload, published := d.LastReload(), d.publish.last()
	return metrics.State{
		Ready:       d.ready.answer().Ready,
		Connections: connections, ConnectionLimit: limit,
		Budgets: d.budgetStates(), Workers: d.pool.Status(), Keys: d.rotation.Plans(),
		JWKS:   metrics.JWKS{Published: published.at, Keys: published.keys, Failing: published.err != nil},
		Audit:  d.auditMetrics(),
		Reload: metrics.Reload{Success: reload.Success, Failure: reload.Failure, Failed: reload.Err != nil},
	}
}

// connections returns how many connections callers have open, and how many they can
// have.
func (d *Daemon) connections() (open, limit int) {
	if server := d.server.Load(); server != nil {
		return server.Connections(), server.MaxConnections()
	}
	return 0, d.Config.Limits.Connections
}

func (d *Daemon) budgetStates() (all []metrics.Budget) {
	names := d.names()
	for _, g := range names.Grants {
		all = append(all, d.windows(signer.GrantBudget(g.Client, g.Name), metrics.Budget{Client: g.Client, Grant: g.Name})...)
	}
	for _, key := range names.Keys {
		all = append(all, d.windows(signer.KeyBudget(key), metrics.Budget{Key: key})...)
	}
	return all
}

// windows are those of one budget, labelled as like is.
func (d *Daemon) windows(budget string, like metrics.Budget) (all []metrics.Budget) {
	for _, left := range d.limiter.Left(d.Now(), budget) {
		like.Window, like.Remaining, like.Limit = left.Per, left.Remaining, left.Limit
		if left.Burst > 0 {
			like.Limit = left.Burst
		}
		all = append(all, like)
	}
	return all
}

func (d *Daemon) auditMetrics() *metrics.Audit {
	if d.audit == nil {
		return nil
	}
	s := d.audit.Status()
	a := &metrics.Audit{
		Up: s.Err == nil, Records: s.Records, Lines: s.Lines, Bytes: s.Bytes, Pending: s.Pending,
		Checkpoints: d.Config.Audit.CheckpointKey != "", Covered: s.CheckpointSize,
		CoveredAt: s.CheckpointTime, CheckpointFail: s.CheckpointErr != nil,
	}
	if !s.UnsyncedSince.IsZero() {
		a.Unsynced = max(0, d.Now().Sub(s.UnsyncedSince))
	}
	return a
}
