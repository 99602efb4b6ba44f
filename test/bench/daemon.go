package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/test/litewitness"
)

// variant is a daemon's configuration, as far as it varies.
type variant struct {
	workers int
	audit   string // the value of audit.sync, "off" for no log, or witnessed
	clients int
}

var defaults = variant{workers: 2, audit: "interval", clients: 1}

func (v variant) name() string { return fmt.Sprintf("w%d-%s-%d", v.workers, v.audit, v.clients) }

// daemon is a running assertd.
type daemon struct {
	cmd      *exec.Cmd
	socket   string
	operator string
	log      bytes.Buffer

	witness *litewitness.Witness // nil for none
}

const startTimeout = 30 * time.Second

// startDaemon runs the real binary and returns when it is ready.
func startDaemon(ctx context.Context, e env, v variant) (*daemon, error) {
	d := &daemon{socket: e.file(v.name() + ".sock"), operator: e.file(v.name() + ".operator")}
	file := e.file(v.name() + ".yaml")
	text := configuration(e, v, d.socket)
	text = fmt.Appendf(text, "operator: {socket: %q}\n", d.operator)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	if v.audit == witnessed {
		if err := d.startWitness(ctx, e, v, file, text); err != nil {
			return nil, err
		}
	}
	d.cmd = exec.Command(e.Binary, "serve", "--config", file)
	d.cmd.Stderr = &d.log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	if err := d.waitReady(ctx); err != nil {
		return nil, errors.Join(err, d.stop(), errors.New(d.log.String()))
	}
	return d, nil
}

// waitReady polls until the daemon issues an assertion. That takes all its
// parts.
func (d *daemon) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	c, err := client.New(d.socket)
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		if _, err = c.Assert(ctx, ipc.AssertionRequest{Grant: setOf(algorithms[0].alg)}); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the daemon isn't ready: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// awaitWorkers polls until every worker can sign. The first one is enough for
// an assertion.
func (d *daemon) awaitWorkers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	c, err := client.New(d.socket)
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		answer, err := c.Ready(ctx)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(answer.Workers, func(w ipc.WorkerState) bool { return w.State != ipc.WorkerReady }) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (d *daemon) pid() int { return d.cmd.Process.Pid }

// stop lets the daemon drain, and kills it if that takes too long.
func (d *daemon) stop() error {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(startTimeout, func() { _ = d.cmd.Process.Kill() })
	defer late.Stop()
	err := d.cmd.Wait()
	if d.witness != nil {
		err = errors.Join(err, d.witness.Close())
	}
	return err
}

// configuration returns the daemon's YAML for a variant. Budgets have the usual
// two windows, too wide to ever refuse.
func configuration(e env, v variant, socket string) []byte {
	var y strings.Builder
	fmt.Fprintf(&y, "hsm: {module: %q, token: {label: %s}, pin: {file: %q}, workers: %d, sessions: %d, environment: {SOFTHSM2_CONF: %q",
		e.Module, tokenLabel, e.PINFile, v.workers, cmp.Or(e.Sessions, hsm.DefaultSessions), e.SoftHSMConf)
	for name, value := range e.Environment {
		fmt.Fprintf(&y, ", %s: %q", name, value)
	}
	y.WriteString("}}\n")
	if control := e.Environment[faultyControl]; control != "" {
		fmt.Fprintf(&y, "sandbox: {write: [%q]}\n", control)
	}
	y.WriteString("keys:\n")
	for _, a := range algorithms {
		fmt.Fprintf(&y, "  %s: {alg: %s, use: assertion}\n", setOf(a.alg), a.alg)
	}
	if v.audit == witnessed {
		fmt.Fprintf(&y, "  %s: {alg: EdDSA, use: raw}\n", ledger)
	}
	y.WriteString("clients:\n")
	for i := range v.clients - 1 {
		fmt.Fprintf(&y, "  - name: other-%d\n    match: {uid: %d}\n    grants: [%s]\n", i, 100_000+i, grant(algorithms[0].alg))
	}
	fmt.Fprintf(&y, "  - name: bench\n    match: {uid: %d}\n    in_flight: 4096\n    grants: [", os.Getuid())
	for _, a := range algorithms {
		y.WriteString(grant(a.alg) + ", ")
	}
	fmt.Fprintf(&y, "]\nlisten: [{socket: %q, mode: \"0600\"}]\nlog: {level: warn}\n", socket)
	switch v.audit {
	case "off":
		y.WriteString("audit: {required: false}\n")
	case witnessed:
		fmt.Fprintf(&y, "audit: {file: %q, sync: interval, checkpoint_key: %s, checkpoint_every: 1s}\n", e.file(v.name()+".audit"), ledger)
	default:
		fmt.Fprintf(&y, "audit: {file: %q, sync: %s}\n", e.file(v.name()+".audit"), v.audit)
	}
	return []byte(y.String())
}

func grant(alg string) string {
	return fmt.Sprintf("{name: %[1]s, key: %[1]s, profile: private_key_jwt, client_id: bench, audiences: [\"https://as.example\"], "+
		"lifetime: {default: 60s, max: 120s}, claims: {allow: {scope: [read, write]}}, "+
		"rate: [{limit: 1000000, per: 1s, burst: 1000000}, {limit: 1000000000, per: 24h}]}", setOf(alg))
}

// parseConfiguration returns the configuration as the daemon itself reads it.
func parseConfiguration(e env, v variant) (*config.Config, error) {
	return config.Parse("bench.yaml", configuration(e, v, e.file("none.sock")))
}
