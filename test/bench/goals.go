package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
)

// goal is a figure that must not be exceeded, with a measurement of its own.
type goal struct {
	name, title string // with the unit
	most        float64
	measure     func(context.Context, env, settings) (float64, error)
}

// figure is what was measured, and what it should be.
type figure struct {
	Title    string  `json:"what"`
	Measured float64 `json:"measured"`
	Goal     float64 `json:"goal"`
	AtLeast  bool    `json:"at_least"` // the goal is the least that it should be, not the most
}

func (f figure) holds() bool {
	if f.AtLeast {
		return f.Measured >= f.Goal
	}
	return f.Measured <= f.Goal
}

// printFigures prints a table of figures, if there are any.
func printFigures(out io.Writer, figures []figure) error {
	if len(figures) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprintln(table, "\n| what\t| measured\t| goal\t| holds\t|\n|---\t|---\t|---\t|---\t|")
	for _, f := range figures {
		bound, verdict := "at most", "yes"
		if f.AtLeast {
			bound = "at least"
		}
		if !f.holds() {
			verdict = "**no**"
		}
		fmt.Fprintf(table, "| %s\t| %.2f\t| %s %.2f\t| %s\t|\n", f.Title, f.Measured, bound, f.Goal, verdict)
	}
	return table.Flush()
}

// measureGoals prints a table of those of the goals of a section that -run
// selects. setUp makes what they share.
func measureGoals(
	ctx context.Context, e env, o settings, section, title string, goals []goal,
	setUp func(env, context.Context) (env, error), r *report, progress io.Writer,
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
	r.title(title)
	var figures []figure
	for _, g := range chosen {
		fmt.Fprintf(progress, "%s: %s\n", section, g.name)
		value, err := g.measure(ctx, e, o)
		if err != nil {
			return fmt.Errorf("%s: %w", g.name, err)
		}
		figures = append(figures, figure{Title: g.title, Measured: value, Goal: g.most})
	}
	return r.figures(section, figures)
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
