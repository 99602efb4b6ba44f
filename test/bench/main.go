// Command bench compares assertd with raw PKCS#11 on the same machine, in one
// run.
//
// It builds the real daemon, gives it a new SoftHSM token in a temporary
// directory, and drives it over its socket with the client package from another
// process. Before each slice it measures the raw baseline: one thread that
// calls the PKCS#11 module in its own process. Each ratio is the median over
// adjacent slices, so other load on the machine affects ratios less than rates.
// docs/performance.md explains the tables and the limits.
//
//	go run ./test/bench                    # all cases, about ten minutes
//	go run ./test/bench -quick             # all cases, one short round
//	go run ./test/bench -run 'ES256.*w2'   # the cases whose name matches
//	go run ./test/bench -peers             # other programs too
//	go run ./test/bench -o benchstat > new # for benchstat old new
//	go run ./test/bench -page docs/performance.md # put the tables there too
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
	"slices"
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

// settings say what to measure and for how long.
type settings struct {
	rounds int
	slice  time.Duration // of one case in one round
	raw    time.Duration // of the baseline before it
	only   *regexp.Regexp
	peers  bool
	flame  string // the directory for flame graphs, which are all that is made then
	output string // "" for tables, json or benchstat
	page   string // the file that gets the tables too; "" for none
}

func parse(args []string, stderr io.Writer) (settings, error) {
	s := settings{rounds: 5, slice: 600 * time.Millisecond, raw: 200 * time.Millisecond}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	quick := flags.Bool("quick", false, "one short round")
	flags.BoolVar(&s.peers, "peers", false, "measure other programs too: p11-kit server, ssh-agent")
	flags.StringVar(&s.flame, "flame", "", "draw flame graphs of the front in `directory` with perf, and measure nothing")
	only := flags.String("run", "", "measure the cases whose `regexp` matches section/name")
	flags.StringVar(&s.output, "o", "", "write `json` (one object a line) or benchstat (Go's benchmark format) to standard output, and the tables to standard error")
	flags.StringVar(&s.page, "page", "", "put the tables into `file` too, between its two comments, when all is measured")
	flags.IntVar(&s.rounds, "rounds", s.rounds, "how many times to measure each case")
	flags.DurationVar(&s.slice, "slice", s.slice, "how long to measure each case in one round")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if *quick {
		s.rounds, s.slice, s.raw = 1, 200*time.Millisecond, 100*time.Millisecond
	}
	if s.rounds < 1 || s.slice < time.Millisecond {
		return s, fmt.Errorf("%d rounds of %v are too few or too short; the minimum is 1 round of 1ms", s.rounds, s.slice)
	}
	if s.page != "" && *only != "" {
		return s, errors.New("-page is for whole runs; leave out -run")
	}
	if !slices.Contains(outputs, s.output) {
		return s, fmt.Errorf("-o %s: want json or benchstat", s.output)
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
	shown, err := openPage(s.page)
	if err != nil {
		return err
	}
	e, err := newEnv(ctx)
	if err != nil {
		return err
	}
	defer e.remove()
	if s.flame != "" {
		return flames(ctx, e, s, s.flame)
	}
	r := newReport(s.output, stdout, stderr)
	r.tables = shown.copyOf(r.tables)
	if err := measure(ctx, e, s, r, stderr); err != nil {
		return err
	}
	return shown.save()
}

// measure measures everything that is selected and reports it.
func measure(ctx context.Context, e env, s settings, r *report, stderr io.Writer) error {
	r.machine()
	for _, section := range sections() {
		if section.peers && !s.peers {
			continue
		}
		if err := section.measure(ctx, e, s, r, stderr); err != nil {
			return fmt.Errorf("%s: %w", section.name, err)
		}
	}
	plain := func(e env, _ context.Context) (env, error) { return e, nil }
	if err := measureGoals(ctx, e, s, "footprint", "Memory and reloads", footprintGoals(), plain, r, stderr); err != nil {
		return fmt.Errorf("footprint: %w", err)
	}
	title := fmt.Sprintf("A token with %d key pairs", pairs)
	if err := measureGoals(ctx, e, s, "keys", title, keyGoals(), env.withKeys, r, stderr); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	if err := measureInstructions(ctx, e, s, r, stderr); err != nil {
		return fmt.Errorf("instructions: %w", err)
	}
	return measureStart(ctx, e, s, r, stderr)
}
