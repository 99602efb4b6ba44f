package daemon

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/signer"
)

// readiness is whether the daemon can sign.
type readiness struct {
	daemon   *Daemon
	health   *signer.Health
	draining atomic.Bool
}

// withWorkers answers GET /v1/ready.
func (r *readiness) withWorkers() ipc.ReadyResponse {
	response := r.answer()
	for _, w := range r.daemon.pool.Status() {
		response.Workers = append(response.Workers, w.WorkerState)
	}
	return response
}

// answer is withWorkers without the workers.
func (r *readiness) answer() ipc.ReadyResponse {
	response := r.health.Ready()
	if r.draining.Load() {
		response.Ready, response.Reason, response.Detail = false, ipc.ReasonDraining, "The daemon is stopping."
	}
	if r.daemon.LastReload().Err != nil {
		response.Warnings = []string{ipc.WarningReloadRefused}
	}
	for _, token := range r.daemon.pool.Tokens() {
		if warning := token.PIN.Warning(); warning != "" && !slices.Contains(response.Warnings, warning) {
			response.Warnings = append(response.Warnings, warning)
		}
	}
	if store := r.daemon.storeStatus(); store != nil && !store.Up {
		response.Warnings = append(response.Warnings, ipc.WarningStoreDown)
	}
	if shared := r.daemon.limiter.Fleet(); shared != nil && shared.State == ipc.BudgetsReporting && shared.Windows > 0 {
		response.Warnings = append(response.Warnings, ipc.WarningBudgetsReporting)
	}
	r.daemon.trail.Report(&response)
	return response
}

// check makes the signatures. A key that fails its proof is left out of its
// set, and another version may then take its place. It returns whether all key
// sets can sign.
func (r *readiness) check(ctx context.Context) bool {
	for r.health.Check(ctx, r.daemon.issuing()) && ctx.Err() == nil {
		r.daemon.refresh()
	}
	r.report()
	return r.health.Healthy()
}

func (r *readiness) report() {
	if r.daemon.Status != nil {
		r.daemon.Status(r.answer().Summary())
	}
}

// run checks at each interval, and at once after a change.
func (r *readiness) run(ctx context.Context, interval time.Duration, changed <-chan struct{}) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-changed:
		}
		limited, cancel := context.WithTimeout(ctx, interval)
		r.check(limited)
		cancel()
	}
}
