package daemon

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/ipc"
)

// readiness is whether the daemon can sign, as of the last probe.
type readiness struct {
	daemon   *Daemon
	last     atomic.Pointer[ipc.ReadyResponse]
	failing  bool // as last logged; only run uses it
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
	response := r.state()
	if r.daemon.LastReload().Err != nil {
		response.Warnings = []string{ipc.WarningReloadRefused}
	}
	return response
}

func (r *readiness) state() ipc.ReadyResponse {
	if r.draining.Load() {
		return ipc.ReadyResponse{Reason: ipc.ReasonDraining, Detail: "The daemon is stopping."}
	}
	if err := r.daemon.auditState(); err != nil {
		return ipc.ReadyResponse{Reason: ipc.ReasonAuditUnavailable, Detail: "The audit log can't be written, so nothing is signed."}
	}
	if last := r.last.Load(); last != nil {
		return *last
	}
	return ipc.ReadyResponse{Reason: ipc.ReasonStarting, Detail: "No signature has been made yet."}
}

// check makes the signatures and stores the outcome.
func (r *readiness) check(ctx context.Context) error {
	err := r.daemon.probe(ctx)
	response := ipc.ReadyResponse{Ready: err == nil}
	switch {
	case err == nil:
	case errors.Is(err, keyset.ErrNoKey):
		response.Reason, response.Detail = ipc.ReasonKeyNotAvailable, "A key set has no version that may sign now."
	default:
		response.Reason, response.Detail = ipc.ReasonHSMUnavailable, "The HSM does not sign now."
	}
	r.last.Store(&response)
	return err
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
		err := r.check(limited)
		cancel()
		if ctx.Err() != nil {
			return // a check cut short by the stop proves nothing
		}
		r.logChange(err)
	}
}

// logChange logs when readiness changes, not every check.
func (r *readiness) logChange(err error) {
	switch {
	case err != nil && !r.failing:
		r.daemon.Logger.Error("not ready: no signature could be made", "error", err)
	case err == nil && r.failing:
		r.daemon.Logger.Info("ready again")
	}
	r.failing = err != nil
}
