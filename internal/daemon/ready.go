package daemon

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/ipc"
)

// readiness remembers whether the daemon could sign when it last tried.
type readiness struct {
	probe    func(ctx context.Context) error // a verified signature with every key set in use
	audit    func() error                    // whether decisions can be recorded now
	stale    func() bool                     // whether a newer configuration was refused
	workers  func() []ipc.WorkerStatus
	last     atomic.Pointer[ipc.ReadyResponse]
	draining atomic.Bool
}

// withWorkers is what GET /v1/ready says at this moment.
func (r *readiness) withWorkers() ipc.ReadyResponse {
	response := r.answer()
	for _, w := range r.workers() {
		response.Workers = append(response.Workers, w.WorkerState)
	}
	return response
}

// answer says whether the daemon is ready at this moment.
func (r *readiness) answer() ipc.ReadyResponse {
	response := r.state()
	if r.stale() {
		response.Warnings = []string{ipc.WarningReloadRefused}
	}
	return response
}

func (r *readiness) state() ipc.ReadyResponse {
	if r.draining.Load() {
		return ipc.ReadyResponse{Reason: ipc.ReasonDraining, Detail: "The daemon is stopping."}
	}
	if err := r.audit(); err != nil {
		return ipc.ReadyResponse{Reason: ipc.ReasonAuditUnavailable, Detail: "The audit log can't be written, so nothing is signed."}
	}
	if last := r.last.Load(); last != nil {
		return *last
	}
	return ipc.ReadyResponse{Reason: ipc.ReasonStarting, Detail: "No signature has been made yet."}
}

// check makes the signatures and notes the outcome.
func (r *readiness) check(ctx context.Context) error {
	err := r.probe(ctx)
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

// run repeats the check at the interval, and at once when something changed.
func (r *readiness) run(ctx context.Context, interval time.Duration, changed <-chan struct{}, tell func(error)) {
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
			return // a check that the stop cut short tells nothing
		}
		tell(err)
	}
}
