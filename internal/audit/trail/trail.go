// Package trail is the daemon's audit trail: its log, the key set that signs
// the checkpoints, the witnesses that cosign them, and where the lines are
// shipped to. The methods of a nil Trail, which keeps no log, do nothing.
package trail

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/audit/ship"
	"github.com/assertd/assertd/internal/audit/witness"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/internal/trustpath"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/signer"
)

// Options configure a Trail.
type Options struct {
	Settings config.Audit
	Trust    trustpath.Rules
	Keys     signer.Keys // whose versions sign the checkpoints
	HSM      signer.HSM
	Version  string
	Now      func() time.Time
	Logger   logging.Logger
}

// Trail is one audit trail.
type Trail struct {
	Options
	log       *audit.Log
	witnesses *witness.Group // nil for none
	shipper   *ship.Shipper  // nil for none
}

// Open opens the audit log. It returns nil if the settings name no file.
func Open(o Options) (*Trail, error) {
	if o.Settings.File == "" {
		o.Logger.Warn("decisions are not recorded: the configuration has no audit.file")
		return nil, nil
	}
	t := &Trail{Options: o}
	log, err := audit.Open(t.logOptions())
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	t.log = log
	t.newShipper()
	return t, t.newWitnesses()
}

func (t *Trail) logOptions() audit.Options {
	s := t.Settings
	options := audit.Options{
		File: s.File, Sync: audit.Sync(s.Sync), Interval: s.Interval.Std(), Timeout: s.Timeout.Std(),
		MaxSize: int64(s.MaxSize), MaxAge: s.MaxAge.Std(),
		CheckpointInterval: s.CheckpointEvery.Std(),
		Trust:              t.Trust, Anchor: s.Anchor, Witnessed: len(s.Witnesses) > 0,
		Clock: t.Now, Logger: t.Logger,
	}
	if s.CheckpointKey != "" {
		options.Origin, options.Key = s.Origin, t.checkpointKey
	}
	return options
}

// newShipper prepares to ship the log, if it goes anywhere.
func (t *Trail) newShipper() {
	o := ship.Options{File: t.Settings.File, Log: t.log, Now: t.Now, Logger: t.Logger}
	for _, to := range t.Settings.Ship {
		if c := to.OTLP; c != nil {
			files := ship.Certificates{CA: c.CA, Cert: c.Cert, Key: c.Key, Trust: t.Trust}
			o.Destinations = append(o.Destinations, ship.Collector{Endpoint: c.Endpoint, TLS: files, Version: t.Version})
			continue
		}
		files := ship.Certificates{CA: to.Syslog.CA, Cert: to.Syslog.Cert, Key: to.Syslog.Key, Trust: t.Trust}
		o.Destinations = append(o.Destinations, ship.Syslog(to.Syslog.Socket, to.Syslog.Address, files))
	}
	if len(o.Destinations) > 0 {
		t.shipper = ship.New(o)
	}
}

// newWitnesses prepares to ask the log's witnesses, if it has any.
func (t *Trail) newWitnesses() error {
	if len(t.Settings.Witnesses) == 0 {
		return nil
	}
	o := witness.Options{Log: t.log, Quorum: t.Settings.Quorum, Now: t.Now, Logger: t.Logger}
	if t.Settings.QuorumRequired {
		o.MaxAge = t.Settings.QuorumMaxAge.Std()
	}
	for _, w := range t.Settings.Witnesses {
		key, err := witness.ParseKey(w.PublicKey)
		if err != nil {
			return err
		}
		o.Witnesses = append(o.Witnesses, witness.Config{URL: w.URL, Key: key})
	}
	t.witnesses = witness.New(o)
	return nil
}

// Run writes the log until ctx ends.
func (t *Trail) Run(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.log.Run(ctx)
}

// Ship sends the lines to their destinations until ctx ends. It should outlive
// Run, for the last lines.
func (t *Trail) Ship(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.shipper.Run(ctx)
}

// CompareWithWitnesses compares the log with what its witnesses have seen of
// it, before the daemon serves. It is witness.Group.Start.
func (t *Trail) CompareWithWitnesses(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.witnesses.Start(ctx)
}

// Witness has the checkpoints cosigned until ctx ends.
func (t *Trail) Witness(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.witnesses.Run(ctx)
}

// Close closes the log after its Run has ended.
func (t *Trail) Close() {
	if t == nil {
		return
	}
	if err := t.log.Close(); err != nil {
		t.Logger.Error("audit log not closed cleanly", "error", err)
	}
}

// Log returns the log, nil if there is none.
func (t *Trail) Log() *audit.Log {
	if t == nil {
		return nil
	}
	return t.log
}

// Hold returns why the witnesses keep the daemon from signing, nil if they
// don't.
func (t *Trail) Hold() error {
	if t == nil {
		return nil
	}
	return t.witnesses.Hold()
}

// RecordRetry records that an operator asks for another attempt with the PINs.
// An error means that there must be no attempt.
func (t *Trail) RecordRetry(ctx context.Context, from caller.Caller) error {
	if t == nil {
		return nil
	}
	err := t.log.Append(ctx, audit.Record{Kind: audit.KindRetryPIN, Caller: from, Outcome: audit.OutcomeAllowed})
	if err == nil || !t.Settings.Required {
		return nil
	}
	return fmt.Errorf("the PIN is not tried, because that can't be recorded: %w", err)
}

// reopenWait bounds how long Reopen waits for the log's writer.
const reopenWait = 10 * time.Second

// Reopen switches to a new file if the log's was moved away, as logrotate does.
func (t *Trail) Reopen() error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), reopenWait)
	defer cancel()
	if err := t.log.Reopen(ctx); err != nil {
		t.Logger.Error("audit log not reopened; still writing to the old file", "error", err)
		return fmt.Errorf("audit log not reopened; still writing to the old file: %w", err)
	}
	t.Logger.Info("log files reopened")
	return nil
}

// Status returns the state of the log, its witnesses and its destinations, nil
// if there is no log.
func (t *Trail) Status() *ipc.AuditStatus {
	if t == nil {
		return nil
	}
	status := t.log.Status().AuditStatus
	status.CheckpointKey = t.Settings.CheckpointKey
	t.witnesses.Report(&status)
	t.shipper.Report(&status)
	return &status
}

// Report adds to a readiness what the log says about it: required records that
// can't be written and a missing quorum keep the daemon from signing.
func (t *Trail) Report(ready *ipc.ReadyResponse) {
	if t == nil {
		return
	}
	state := t.log.Status()
	if state.Unchecked {
		ready.Warnings = append(ready.Warnings, ipc.WarningAuditUnchecked)
	}
	err := state.Err
	if err == nil || !t.Settings.Required {
		err = t.witnesses.Hold()
	}
	if err != nil && ready.Reason != ipc.ReasonDraining {
		ready.Ready = false
		ready.Reason, ready.Detail = unrecorded(err)
	}
}

// unrecorded says why the log keeps the daemon from signing.
func unrecorded(err error) (reason, detail string) {
	switch {
	case errors.Is(err, audit.ErrDamaged):
		return ipc.ReasonAuditDamaged, "The audit log was changed or damaged, so nothing is signed."
	case errors.Is(err, audit.ErrRolledBack):
		return ipc.ReasonAuditRolledBack, "The audit log was rolled back, so nothing is signed."
	case errors.Is(err, witness.ErrNoQuorum):
		return ipc.ReasonAuditUnavailable, "Too few witnesses have cosigned the audit log lately, so nothing is signed."
	}
	return ipc.ReasonAuditUnavailable, "The audit log can't be written, so nothing is signed."
}
