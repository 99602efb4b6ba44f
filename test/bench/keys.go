package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/test/softhsm"
)

// pairs is how many key pairs the token of these measurements has.
const pairs = 1000

// goal is a time that a daemon with many keys must not exceed.
type goal struct {
	name, title string
	most        time.Duration
	measure     func(context.Context, env, settings) (time.Duration, error)
}

func goals() []goal {
	return []goal{
		{"start", "start to the first assertion", 2 * time.Second, startWithKeys},
		{"look", "CPU of a look at the keys, with all that an idle daemon does meanwhile", 300 * time.Millisecond, lookAtKeys},
	}
}

// measureKeys prints a table of the goals that -run selects.
func measureKeys(ctx context.Context, e env, o settings, out, progress io.Writer) error {
	var chosen []goal
	for _, g := range goals() {
		if o.only.MatchString("keys/" + g.name) {
			chosen = append(chosen, g)
		}
	}
	if len(chosen) == 0 {
		return nil
	}
	fmt.Fprintf(progress, "keys: making %d key pairs\n", pairs)
	e, err := e.withKeys(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n### A token with %d key pairs\n\n", pairs)
	table := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprintln(table, "| what\t| measured\t| goal\t| holds\t|\n|---\t|---\t|---\t|---\t|")
	for _, g := range chosen {
		fmt.Fprintf(progress, "keys: %s\n", g.name)
		took, err := g.measure(ctx, e, o)
		if err != nil {
			return fmt.Errorf("%s: %w", g.name, err)
		}
		fmt.Fprintf(table, "| %s\t| %.2f s\t| %.2f s\t| %s\t|\n", g.title, took.Seconds(), g.most.Seconds(), holds(took, g.most))
	}
	return table.Flush()
}

func holds(took, most time.Duration) string {
	if took > most {
		return "**no**"
	}
	return "yes"
}

// startWithKeys returns the median time from the start of the daemon's process
// to its first assertion.
func startWithKeys(ctx context.Context, e env, o settings) (time.Duration, error) {
	var took []time.Duration
	for range o.rounds {
		began := time.Now()
		d, err := startDaemon(ctx, e, defaults)
		if err != nil {
			return 0, err
		}
		took = append(took, time.Since(began))
		if err := d.stop(); err != nil {
			return 0, err
		}
	}
	return median(took), nil
}

// lookAtKeys returns the CPU time of an idle daemon and its children between
// two looks at the keys.
func lookAtKeys(ctx context.Context, e env, o settings) (_ time.Duration, err error) {
	d, err := startDaemon(ctx, e, defaults)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	if err := d.awaitWorkers(ctx); err != nil {
		return 0, err
	}
	looks := min(o.rounds, 2)
	processes := append(childrenOf(d.pid()), d.pid())
	before := cpuTime(processes...)
	select {
	case <-time.After(time.Duration(looks) * keyset.PollInterval):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	return (cpuTime(processes...) - before) / time.Duration(looks), nil
}

// withKeys returns an environment like e, whose token has many keys.
func (e env) withKeys(ctx context.Context) (env, error) {
	e.Dir = e.file("keys")
	e.PINFile, e.SoftHSMConf = e.file("pin"), e.file("softhsm2.conf")
	if err := errors.Join(os.Mkdir(e.Dir, 0o700), e.write(), e.setUp(ctx)); err != nil {
		return e, err
	}
	c, err := startChild(ctx, e, "fill")
	if err != nil {
		return e, err
	}
	return e, c.stop()
}

// fill is the role that makes the other key pairs: former versions of one key
// set.
func fill(e env) (prepare, error) {
	ctx, session, err := openModule(e)
	if err != nil {
		return nil, err
	}
	defer ctx.Finalize()
	label := func(i int) string {
		return keyset.Label(setOf(algorithms[0].alg), e.Created.Add(-time.Duration(i+1)*time.Hour))
	}
	if err := softhsm.Fill(ctx, session, pairs-len(algorithms), label); err != nil {
		return nil, err
	}
	return func(task) (operation, error) { return nil, errors.New("no tasks") }, nil
}
