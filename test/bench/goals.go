package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
)

// goal is a figure that must not be exceeded.
type goal struct {
	name, title string // with the unit
	most        float64
	measure     func(context.Context, env, settings) (float64, error)
}

// measureGoals prints a table of those of the goals of a section that -run
// selects. setUp makes what they share.
func measureGoals(
	ctx context.Context, e env, o settings, section, title string, goals []goal,
	setUp func(env, context.Context) (env, error), out, progress io.Writer,
) error {
	var chosen []goal
	for _, g := range goals {
		if o.only.MatchString(section + "/" + g.name) {
			chosen = append(chosen, g)
		}
	}
	if len(chosen) == 0 {
		return nil
	}
	fmt.Fprintf(progress, "%s: setting up\n", section)
	e, err := setUp(e, ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n### %s\n\n", title)
	table := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprintln(table, "| what\t| measured\t| goal\t| holds\t|\n|---\t|---\t|---\t|---\t|")
	for _, g := range chosen {
		fmt.Fprintf(progress, "%s: %s\n", section, g.name)
		value, err := g.measure(ctx, e, o)
		if err != nil {
			return fmt.Errorf("%s: %w", g.name, err)
		}
		fmt.Fprintf(table, "| %s\t| %.2f\t| %.2f\t| %s\t|\n", g.title, value, g.most, holds(value, g.most))
	}
	return table.Flush()
}

func holds(value, most float64) string {
	if value > most {
		return "**no**"
	}
	return "yes"
}

// withDaemon runs a daemon whose workers are all ready, and a child that can
// load it.
func withDaemon(ctx context.Context, e env, v variant, do func(*daemon, *child) error) error {
	d, err := startDaemon(ctx, e, v)
	if err != nil {
		return err
	}
	if err := d.awaitWorkers(ctx); err != nil {
		return errors.Join(err, d.stop())
	}
	load, err := startChild(ctx, e, "load")
	if err != nil {
		return errors.Join(err, d.stop())
	}
	return errors.Join(do(d, load), load.stop(), d.stop())
}
