package main

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/ipc/caller"
)

// The audit log that measureStart opens: so many lines that a checkpoint
// covers, and so many that none does, as after a crash.
const (
	coveredLines   = 10_000_000
	uncoveredLines = 100_000
	startName      = "start/10,000,000 lines"
)

// measureStart measures how long the daemon's start waits for a long audit log,
// and how long it takes to verify the rest in the background.
func measureStart(ctx context.Context, e env, s settings, r *report, progress io.Writer) error {
	if !s.only.MatchString(startName) {
		return nil
	}
	covered, uncovered := int64(coveredLines), int64(uncoveredLines)
	if s.rounds == 1 {
		covered, uncovered = covered/100, uncovered/100
	}
	o, err := startOptions(e.file("long.audit"))
	if err != nil {
		return err
	}
	defer os.Remove(o.File)
	fmt.Fprintf(progress, "%s: writing the log\n", startName)
	unsigned := o
	unsigned.Key = nil
	if err := errors.Join(writeRecords(ctx, o, covered), writeRecords(ctx, unsigned, uncovered)); err != nil {
		return err
	}
	info, err := os.Stat(o.File)
	if err != nil {
		return err
	}
	opened, verified, err := reopen(ctx, o)
	if err != nil {
		return err
	}
	fmt.Fprintf(r.tables, "\n### The start with a long audit log\n\n| lines | of them without a checkpoint | GB | open, s | then verified in the background, s |\n|---|---|---|---|---|\n"+
		"| %d | %d | %.1f | %.2f | %.1f |\n", covered+uncovered, uncovered, float64(info.Size())/1e9, opened.Seconds(), verified.Seconds())
	return nil
}

// startOptions returns a log that gets its only checkpoint when it is closed.
func startOptions(file string) (audit.Options, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	sign := func(_ context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
		return private.Sign(rand.Reader, digest, opts)
	}
	return audit.Options{
		File: file, Sync: audit.SyncNever, CheckpointInterval: time.Hour, Timeout: time.Minute, Origin: "bench",
		Key: func(context.Context) (audit.Key, error) { return audit.Key{Public: public, Sign: sign}, nil },
	}, err
}

// writeRecords opens the log, writes so many records, and closes it.
func writeRecords(ctx context.Context, o audit.Options, records int64) error {
	return withLog(ctx, o, func(l *audit.Log) error {
		var next atomic.Int64
		var writers sync.WaitGroup
		failed := make(chan error, 1)
		for range 32 {
			writers.Go(func() {
				for n := next.Add(1); n <= records; n = next.Add(1) {
					if err := l.Append(ctx, recordOf(n)); err != nil {
						select {
						case failed <- err:
						default:
						}
						return
					}
				}
			})
		}
		writers.Wait()
		select {
		case err := <-failed:
			return err
		default:
			return nil
		}
	})
}

// reopen opens the log and waits until all of it is verified.
func reopen(ctx context.Context, o audit.Options) (opened, verified time.Duration, err error) {
	start := time.Now()
	err = withLog(ctx, o, func(l *audit.Log) error {
		opened = time.Since(start)
		for s := l.Status(); s.Unchecked; s = l.Status() {
			if s.Err != nil {
				return s.Err
			}
			time.Sleep(10 * time.Millisecond)
		}
		verified = time.Since(start) - opened
		return ctx.Err()
	})
	return opened, verified, err
}

func withLog(ctx context.Context, o audit.Options, use func(*audit.Log) error) error {
	l, err := audit.Open(o)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- l.Run(running) }()
	err = use(l)
	stop()
	return errors.Join(err, <-ended, l.Close())
}

// recordOf returns a record of the usual size.
func recordOf(n int64) audit.Record {
	return audit.Record{
		Time: time.Now(), Kind: audit.KindAssertion, RequestID: fmt.Sprintf("r-%d", n),
		Caller: caller.Caller{UID: 1000, GID: 1000, PID: 4242, Executable: "/usr/bin/payments-api", Unit: "payments.service"},
		Client: "payments-api", Grant: "bank-a", Key: "payments", Kid: "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
		Profile: "private_key_jwt", Audience: "https://as.bank-a.example", JTI: fmt.Sprintf("jti-%d", n), LifetimeSeconds: 60,
		ClaimNames: []string{"scope"}, Outcome: audit.OutcomeAllowed, LatencyMicros: 850,
	}
}
