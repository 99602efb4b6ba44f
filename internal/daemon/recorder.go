package daemon

import (
	"context"
	"time"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/ipc/server"
	"github.com/assertd/assertd/signer"
)

// auditLog is what the recorder writes to.
type auditLog interface {
	Append(ctx context.Context, record audit.Record) error
}

// recorder writes the signer's decisions to the audit log, and tells of those
// that failed for reasons inside the daemon.
type recorder struct {
	log    auditLog
	logger logging.Logger
	lines  *logging.Throttle
	// required refuses what can't be recorded; without it such a decision
	// passes with an error in the log.
	required bool
	// observe is told of each decision, how long its record took, and why there is none.
	observe func(rec signer.Record, record audit.Record, took time.Duration, lost error)
}

var _ signer.Recorder = (*recorder)(nil)

// Record implements signer.Recorder.
func (r *recorder) Record(ctx context.Context, rec signer.Record) error {
	record := auditRecord(ctx, rec)
	r.tell(record, rec.Err)
	// A caller that hangs up must not keep its decision out of the log.
	start := time.Now()
	err := r.log.Append(context.WithoutCancel(ctx), record)
	r.observe(rec, record, time.Since(start), err)
	if err != nil && !r.required {
		r.lines.Log(r.logger.Error, "unrecorded", "decision passes without an audit record, as audit.required is false", "request_id", record.RequestID, "error", err)
		return nil
	}
	return err
}

// tell logs a decision for the operators: failures loudly, since those are
// theirs to mend; refusals and successes only when they look closely. Failures
// of one kind say the same, so they are told by code; refusals also by client.
func (r *recorder) tell(record audit.Record, err error) {
	fields := []any{
		"request_id", record.RequestID, "client", record.Client, "grant", record.Grant,
		"uid", record.Caller.UID, "pid", record.Caller.PID, "code", record.Code,
	}
	switch {
	case record.Code == codeCallerLeft:
		r.logger.Debug("the caller left", append(fields, "error", err)...)
	case record.Outcome == audit.OutcomeFailed:
		r.lines.Log(r.logger.Error, "failed "+record.Code, "request failed", append(fields, "error", err)...)
	case record.Outcome == audit.OutcomeRefused:
		r.lines.Log(r.logger.Info, "refused "+record.Code+" "+record.Client, "request refused", append(fields, "reason", err)...)
	default:
		r.logger.Debug("signed", append(fields, "kid", record.Kid, "jti", record.JTI)...)
	}
}

func auditRecord(ctx context.Context, rec signer.Record) audit.Record {
	outcome, code := outcomeOf(rec.Err)
	return audit.Record{
		Time: rec.Time, Kind: rec.Kind, RequestID: server.RequestID(ctx), Caller: rec.Caller,
		Client: rec.Client, Grant: rec.Grant, Key: rec.Key, Kid: rec.Kid, Profile: rec.Profile,
		Audience: rec.Audience, JTI: rec.JTI, LifetimeSeconds: int64(rec.Lifetime / time.Second),
		ClaimNames: rec.Claims, Claims: rec.Loggable,
		Hash: rec.Hash, Padding: rec.Padding, Digest: rec.Digest,
		Outcome: outcome, Code: code, LatencyMicros: rec.Latency.Microseconds(),
	}
}

// noAudit stands in where the configuration has no audit file.
type noAudit struct{}

func (noAudit) Append(context.Context, audit.Record) error { return nil }
