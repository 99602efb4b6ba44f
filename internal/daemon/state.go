package daemon

import (
	"github.com/assertd/assertd/internal/metrics"
	"github.com/assertd/assertd/signer"
)

// state is what the daemon is at this moment, for metrics. It never waits for the
// HSM or the disk.
func (d *Daemon) state() metrics.State {
	reload, published := d.LastReload(), d.publish.Status()
	return metrics.State{
		Ready:       d.ready.answer().Ready,
		Connections: d.connections(), ConnectionLimit: d.Config.Limits.Connections,
		Budgets: d.budgetStates(), Workers: d.pool.Status(), Keys: d.rotation.Plans(),
		JWKS:   metrics.JWKS{Published: published.Published, Keys: published.Keys, Failing: published.Err != nil},
		Audit:  d.auditMetrics(),
		Reload: metrics.Reload{Success: reload.Success, Failure: reload.Failure, Failed: reload.Err != nil},
	}
}

func (d *Daemon) connections() int {
	if server := d.server.Load(); server != nil {
		return server.Connections()
	}
	return 0
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
		like.Window, like.Remaining, like.Limit = left.Window.Per, left.Remaining, left.Window.Limit
		if left.Window.Burst > 0 {
			like.Limit = left.Window.Burst
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
