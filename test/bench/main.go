// Command bench measures assertd on this machine, against raw PKCS#11 in the same run.
//
// It builds the real daemon, gives it a SoftHSM token of its own in a temporary directory, and drives it over its socket
// with the client package from another process. Before every slice of a measurement it measures the raw baseline: one
// thread that calls the PKCS#11 module in its own process. What is printed as a ratio is the median of the ratios of
// neighbouring slices, so that a machine that others use as well blurs the figures less than it blurs the operations per
// second. docs/performance.md says how to read the tables and what bounds the figures.
//
//	go run ./test/bench                    # everything, about six minutes
//	go run ./test/bench -quick             # everything, one short round
//	go run ./test/bench -run 'ES256.*w2'   # the cells whose name matches
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == childArgument {
		if err := serveChild(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "bench child:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// settings are how long and what to measure.
type settings struct {
	rounds int
	slice  time.Duration // of one cell in one round
	raw    time.Duration // of the baseline before it
	only   *regexp.Regexp
}

func parse(args []string, stderr io.Writer) (settings, error) {
	s := settings{rounds: 5, slice: 600 * time.Millisecond, raw: 200 * time.Millisecond}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	quick := flags.Bool("quick", false, "one short round")
	only := flags.String("run", "", "measure the cells whose `regexp` matches section/name")
	flags.IntVar(&s.rounds, "rounds", s.rounds, "how often each cell is measured")
	flags.DurationVar(&s.slice, "slice", s.slice, "how long each cell is measured in one round")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if *quick {
		s.rounds, s.slice, s.raw = 1, 200*time.Millisecond, 100*time.Millisecond
	}
	if s.rounds < 1 || s.slice < time.Millisecond {
		return s, fmt.Errorf("%d rounds of %v: give at least one of a millisecond", s.rounds, s.slice)
	}
	var err error
	s.only, err = regexp.Compile(*only)
	return s, err
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	s, err := parse(args, stderr)
	if err != nil {
		return err
	}
	b, err := newBed(ctx)
	if err != nil {
		return err
	}
	defer b.remove()
	describeMachine(stdout)
	for _, section := range sections() {
		if err := section.measure(ctx, b, s, stdout, stderr); err != nil {
			return fmt.Errorf("%s: %w", section.name, err)
		}
	}
	return nil
}
