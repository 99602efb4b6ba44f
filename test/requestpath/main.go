// Command requestpath lists the code on the path of one warm
// POST /v1/assertions in the front, the daemon's own process.
//
// It builds assertd with coverage counters and runs it on a SoftHSM token: for
// a few requests, and for 80 more, one after the other on one connection. A
// block of code is on the path if its counter grew by about one for each of the
// 80, each time that this is repeated. Startup, probes, timers and the cost of
// a new connection cancel out. Workers and the client write no counters.
//
// Files, functions and packages are those of this module that have such a
// block; a function literal counts for the function around it. A conversion is
// a struct that gets most of its values from fields or getters of other
// structs, in a literal, in assignments, or as T(x).
//
//	make request-path                         # fails if a limit is exceeded
//	go run ./test/requestpath -report         # ignores the limits
//	go run ./test/requestpath -markdown       # the tables for docs/design.md
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

var errExceeded = errors.New("the path exceeds a limit")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "requestpath:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("requestpath", flag.ContinueOnError)
	flags.SetOutput(stderr)
	reportOnly := flags.Bool("report", false, "exit 0 even if a limit is exceeded")
	markdown := flags.Bool("markdown", false, "print Markdown tables")
	if err := flags.Parse(args); err != nil {
		return err
	}
	blocks, err := measure(ctx)
	if err != nil {
		return err
	}
	files, err := load(ctx, blocks)
	if err != nil {
		return err
	}
	if len(files) == 0 || len(files) != len(blocks) {
		return fmt.Errorf("%d files have code on the path, but %d are among the daemon's sources", len(blocks), len(files))
	}
	r := newReport(files)
	if *markdown {
		r.markdown(stdout)
	} else {
		r.text(stdout)
	}
	if r.exceeds() && !*reportOnly {
		return errExceeded
	}
	return nil
}
