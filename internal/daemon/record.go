package daemon

import (
	"context"
	"crypto"
	"fmt"
	"time"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/audit/ship"
	"github.com/assertd/assertd/internal/audit/witness"
	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/ipc/caller"
)

// openAudit opens the audit log, if one is configured.
func (d *Daemon) openAudit() error {
	settings := d.Config.Audit
	if settings.File == "" {
		d.Logger.Warn("decisions are not recorded: the configuration has no audit.file")
		return nil
	}
	options := audit.Options{
		File: settings.File, Sync: audit.Sync(settings.Sync), Interval: settings.Interval.Std(), Timeout: settings.Timeout.Std(),
		MaxSize: int64(settings.MaxSize), MaxAge: settings.MaxAge.Std(),
		CheckpointInterval: settings.CheckpointEvery.Std(),
		Trust:              d.Config.Trust(), Anchor: settings.Anchor, Witnessed: len(settings.Witnesses) > 0,
		Clock: d.Now, Logger: d.Logger,
	}
	if settings.CheckpointKey != "" {
		options.Origin, options.Key = settings.Origin, d.checkpointKey
	}
	log, err := audit.Open(options)
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	d.audit = log
	d.newShipper()
	return d.newWitnesses()
}

// newShipper prepares to ship the log, if it goes anywhere.
func (d *Daemon) newShipper() {
	settings := d.Config.Audit
	o := ship.Options{File: settings.File, Log: d.audit, Now: d.Now, Logger: d.Logger}
	for _, to := range settings.Ship {
		if c := to.OTLP; c != nil {
			files := ship.Certificates{CA: c.CA, Cert: c.Cert, Key: c.Key, Trust: d.Config.Trust()}
			o.Destinations = append(o.Destinations, ship.Collector{Endpoint: c.Endpoint, TLS: files, Version: d.Version})
			continue
		}
		files := ship.Certificates{CA: to.Syslog.CA, Cert: to.Syslog.Cert, Key: to.Syslog.Key, Trust: d.Config.Trust()}
		o.Destinations = append(o.Destinations, ship.Syslog(to.Syslog.Socket, to.Syslog.Address, files))
	}
	if len(o.Destinations) > 0 {
		d.shipper = ship.New(o)
	}
}

// newWitnesses prepares to ask the log's witnesses, if it has any.
func (d *Daemon) newWitnesses() error {
	settings := d.Config.Audit
	if len(settings.Witnesses) == 0 {
		return nil
	}
	o := witness.Options{Log: d.audit, Quorum: settings.Quorum, Now: d.Now, Logger: d.Logger}
	if settings.QuorumRequired {
		o.MaxAge = settings.QuorumMaxAge.Std()
	}
	for _, w := range settings.Witnesses {
		key, err := witness.ParseKey(w.PublicKey)
		if err != nil {
			return err
		}
		o.Witnesses = append(o.Witnesses, witness.Config{URL: w.URL, Key: key})
	}
	d.witnesses = witness.New(o)
	return nil
}

// checkpointKey is the version of the configured key set that signs the log's
// checkpoints now.
func (d *Daemon) checkpointKey(context.Context) (audit.Key, error) {
	key, err := d.ring.SigningKey(d.Config.Audit.CheckpointKey)
	if err != nil {
		return audit.Key{}, err
	}
	return audit.Key{Public: key.Public, Sign: func(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
		return d.pool.Sign(ctx, key.Set, key.Ref, digest, opts, func(signature []byte) error {
			return jose.Verify(key.Public, digest, opts, signature)
		})
	}}, nil
}

// auditState returns why nothing is signed now: required records can't be
// written, or the log has no quorum of witnesses. It returns nil if neither.
func (d *Daemon) auditState() error {
	if d.audit == nil {
		return nil
	}
	if err := d.audit.Status().Err; err != nil && d.Config.Audit.Required {
		return err
	}
	return d.witnesses.Hold()
}

func (d *Daemon) runAudit(ctx context.Context) error {
	if d.audit == nil {
		return nil
	}
	return d.audit.Run(ctx)
}

// recordRetry records that an operator asks for another attempt with the PINs.
func (d *Daemon) recordRetry(ctx context.Context, from caller.Caller) error {
	if d.audit == nil {
		return nil
	}
	err := d.audit.Append(ctx, audit.Record{Kind: audit.KindRetryPIN, Caller: from, Outcome: audit.OutcomeAllowed})
	if err == nil || !d.Config.Audit.Required {
		return nil
	}
	return fmt.Errorf("the PIN is not tried, because that can't be recorded: %w", err)
}

// reopenWait bounds how long ReopenLogs waits for the audit log's writer.
const reopenWait = 10 * time.Second

// ReopenLogs switches to a new file if the audit log's was moved away, as
// logrotate does. It reloads nothing.
func (d *Daemon) ReopenLogs() error {
	if d.audit == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), reopenWait)
	defer cancel()
	if err := d.audit.Reopen(ctx); err != nil {
		d.Logger.Error("audit log not reopened; still writing to the old file", "error", err)
		return fmt.Errorf("audit log not reopened; still writing to the old file: %w", err)
	}
	d.Logger.Info("log files reopened")
	return nil
}

func (d *Daemon) closeAudit() {
	if d.audit == nil {
		return
	}
	if err := d.audit.Close(); err != nil {
		d.Logger.Error("audit log not closed cleanly", "error", err)
	}
}
