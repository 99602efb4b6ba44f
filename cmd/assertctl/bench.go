package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/plural"
	"github.com/assertd/assertd/ipc"
)

// benchResult is the result of a benchmark. Latencies are in microseconds.
type benchResult struct {
	Seconds       float64            `json:"seconds"`
	Workers       int                `json:"workers"`
	Signed        int64              `json:"signed"`
	PerSecond     float64            `json:"per_second"`
	LatencyMicros map[string]int64   `json:"latency_micros"`
	Failed        map[ipc.Code]int64 `json:"failed,omitempty"`
}

func (a *app) benchCommand() *cobra.Command {
	l := &load{failed: make(map[ipc.Code]int64)}
	var output cli.Output
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "measure signing throughput and latency",
		Long: "Requests assertions as fast as the daemon returns them, discards them, and\n" +
			"prints throughput and latency. Every request counts against the grant's rate\n" +
			"limits and goes into the audit log, so use a grant made for benchmarks.",
		Example: "  assertctl bench --workers 16 --duration 10s",
		Args:    cli.Args(cobra.NoArgs),
	}
	request := a.requestFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if l.workers < 1 || l.workers > 1024 || l.duration <= 0 || l.count < 0 {
			return cli.UsageError(cmd, errors.New("want 1 to 1024 --workers, a positive --duration and no negative --count"))
		}
		var err error
		if l.req, err = request.request(cmd); err != nil {
			return err
		}
		if l.client, err = a.client(); err != nil {
			return err
		}
		if err := l.run(cmd.Context(), cmd.ErrOrStderr()); err != nil {
			return err
		}
		return output.Print(cmd.OutOrStdout(), l.result(), l.print)
	}
	cmd.Flags().IntVarP(&l.workers, "workers", "w", 8, "`number` of requests in flight")
	cmd.Flags().DurationVarP(&l.duration, "duration", "d", 5*time.Second, "how long to run")
	cmd.Flags().Int64VarP(&l.count, "count", "n", 0, "stop after `N` requests (default: no limit)")
	output.Register(cmd)
	return cmd
}

// quantiles are the ones to print.
var quantiles = []struct {
	name  string
	share float64
}{{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1}}

func (l *load) result() benchResult {
	r := benchResult{
		Seconds: l.duration.Seconds(), Workers: l.workers, Signed: l.latency.total.Load(),
		LatencyMicros: map[string]int64{"mean": l.latency.mean().Microseconds()}, Failed: l.failed,
	}
	r.PerSecond = float64(r.Signed) / r.Seconds
	for _, q := range quantiles {
		r.LatencyMicros[q.name] = l.latency.quantile(q.share).Microseconds()
	}
	return r
}

func (l *load) print(out io.Writer) error {
	r := l.result()
	fmt.Fprintf(out, "%d signed in %.1fs by %s: %.0f/s\n\nlatency\n  mean %v",
		r.Signed, r.Seconds, plural.Of(r.Workers, "worker"), r.PerSecond, l.latency.mean())
	for _, q := range quantiles {
		fmt.Fprintf(out, "  %s %v", q.name, l.latency.quantile(q.share))
	}
	fmt.Fprint(out, "\n\n")
	if err := l.latency.draw(out); err != nil {
		return err
	}
	for _, code := range slices.Sorted(maps.Keys(l.failed)) {
		fmt.Fprintf(out, "\n%d failed: %s", l.failed[code], string(code))
	}
	_, err := fmt.Fprintln(out)
	return err
}
