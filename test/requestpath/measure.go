package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/internal/dev"
	"github.com/assertd/assertd/ipc"
)

// The development grant lets 100 requests through at once.
const (
	warmUp   = 10
	requests = 80
	// onPath is how often a block must have run to count. It leaves room for the
	// workers' startup, probes and polls, which differ between runs.
	onPath = requests * 9 / 10
	// rounds is how often both numbers of requests are measured. Startup may
	// publish the JWKS once more in some runs, and code that runs for each
	// character of a kid then looks like code of a request.
	rounds = 3
)

const startLimit = time.Minute

// block is a stretch of straight-line code, as the compiler counts it.
type block struct {
	file       string // import path and base name
	start, end position
}

// position is a line and a column as one number that sorts.
type position int

func positionOf(line, column int) position { return position(line<<16 | column) }

func (b block) contains(p position) bool { return b.start <= p && p < b.end }

// measure returns the blocks that the front runs in each warm request, by file.
func measure(ctx context.Context) (map[string][]block, error) {
	dir, err := os.MkdirTemp("", "requestpath-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "assertd")
	_, err = goCommand(ctx, "build", "-cover", "-covermode=count", "-coverpkg="+module+"...", "-o", binary, module+"cmd/assertd")
	if err != nil {
		return nil, err
	}
	layout, err := prepare(ctx, dir)
	if err != nil {
		return nil, err
	}
	var few, many []map[block]int
	for range rounds {
		for _, run := range []struct {
			counts *[]map[block]int
			n      int
		}{{&few, warmUp}, {&many, warmUp + requests}} {
			counts, err := countBlocks(ctx, binary, layout, run.n)
			if err != nil {
				return nil, err
			}
			*run.counts = append(*run.counts, counts)
		}
	}
	return inEachRequest(few, many), nil
}

// inEachRequest returns, by file, the blocks that ran at least onPath times
// more often in each of the runs with many requests than in any with few.
func inEachRequest(few, many []map[block]int) map[string][]block {
	path := make(map[string][]block)
	for b, least := range many[0] {
		for _, counts := range many[1:] {
			least = min(least, counts[b])
		}
		most := 0
		for _, counts := range few {
			most = max(most, counts[b])
		}
		if least-most >= onPath {
			path[b.file] = append(path[b.file], b)
		}
	}
	return path
}

// prepare makes a token, keys, and a configuration without the sandbox, which
// would keep the daemon from writing its counters.
func prepare(ctx context.Context, dir string) (dev.Layout, error) {
	layout, err := dev.LayoutOf(dir)
	if err != nil {
		return layout, err
	}
	pkcs11, err := dev.FindModule()
	if err != nil {
		return layout, err
	}
	if err := dev.Prepare(ctx, layout, pkcs11, time.Now()); err != nil {
		return layout, err
	}
	config, err := os.ReadFile(layout.Config)
	if err != nil {
		return layout, err
	}
	return layout, os.WriteFile(layout.Config, append(config, "sandbox: {enforce: false}\n"...), 0o600)
}

// countBlocks runs a daemon with a new audit log for n requests, and returns
// how often each block of the front ran. Workers don't inherit GOCOVERDIR, so
// they write no counters.
func countBlocks(ctx context.Context, binary string, layout dev.Layout, n int) (map[block]int, error) {
	counters, err := os.MkdirTemp(layout.Dir, "counters-")
	if err != nil {
		return nil, err
	}
	if err := os.RemoveAll(layout.Audit); err != nil {
		return nil, err
	}
	var log strings.Builder
	daemon := exec.CommandContext(ctx, binary, "serve", "--config", layout.Config)
	daemon.Env = append(os.Environ(), "GOCOVERDIR="+counters)
	daemon.Stderr = &log
	daemon.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := daemon.Start(); err != nil {
		return nil, err
	}
	err = send(ctx, layout.Socket, n)
	_ = daemon.Process.Signal(syscall.SIGTERM)
	if err := errors.Join(err, daemon.Wait()); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, log.String())
	}
	profile := filepath.Join(counters, "profile.txt")
	if _, err := goCommand(ctx, "tool", "covdata", "textfmt", "-i="+counters, "-o="+profile); err != nil {
		return nil, err
	}
	return readProfile(profile)
}

// send waits until the daemon is ready, and makes n requests, one after the
// other, on the connection that the client keeps.
func send(ctx context.Context, socket string, n int) error {
	c, err := client.New(socket)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := awaitReady(ctx, c); err != nil {
		return err
	}
	for range n {
		if _, err := c.Assert(ctx, ipc.AssertionRequest{}); err != nil {
			return err
		}
	}
	return nil
}

// awaitReady polls until the daemon signs and all of its workers are up.
func awaitReady(ctx context.Context, c *client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	starting := func(w ipc.WorkerState) bool { return w.State != "ready" }
	for {
		answer, err := c.Ready(ctx)
		if err == nil && answer.Ready && !slices.ContainsFunc(answer.Workers, starting) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the daemon is not ready: %s %w", answer.Detail, errors.Join(err, ctx.Err()))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// readProfile reads lines such as "example.com/m/p/f.go:12.30,14.2 1 50".
func readProfile(name string) (map[block]int, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	counts := make(map[block]int)
	for line := range strings.Lines(string(text)) {
		file, rest, _ := strings.Cut(line, ":")
		if file == "mode" {
			continue
		}
		var line1, column1, line2, column2, statements, count int
		if _, err := fmt.Sscanf(rest, "%d.%d,%d.%d %d %d", &line1, &column1, &line2, &column2, &statements, &count); err != nil {
			return nil, fmt.Errorf("coverage profile: %q: %w", line, err)
		}
		counts[block{file, positionOf(line1, column1), positionOf(line2, column2)}] += count
	}
	return counts, nil
}

// goCommand runs the go command and returns its output.
func goCommand(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w", args[0], err)
	}
	return out, nil
}
