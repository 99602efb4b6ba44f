package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"
)

// lab holds the processes of one section.
type lab struct {
	bed      bed
	children map[string]*child
	daemons  map[variant]*daemon
}

// sample is a cell in one round.
type sample struct {
	rate                   float64 // per second
	ratio                  float64 // to the section's base
	room                   float64 // the ratio that the CPU times allow where nobody else uses the machine
	p50, p99               time.Duration
	caller, front, workers time.Duration // CPU for one operation
}

func (s sample) cpu() time.Duration { return s.caller + s.front + s.workers }

const warmUp = 50 * time.Millisecond

// measure runs the section's cells and prints their table.
func (s section) measure(ctx context.Context, b bed, o settings, out, progress io.Writer) (err error) {
	s = s.chosen(o)
	if len(s.cells) == 0 {
		return nil
	}
	l := &lab{bed: b, children: map[string]*child{}, daemons: map[variant]*daemon{}}
	defer func() { err = errors.Join(err, l.close()) }()
	for _, c := range s.cells {
		if err := l.start(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	s.turns = slices.Clone(s.cells)
	samples := make(map[string][]sample)
	for round := range o.rounds {
		fmt.Fprintf(progress, "%s: round %d of %d\n", s.name, round+1, o.rounds)
		if err := s.round(ctx, l, o, samples); err != nil {
			return err
		}
		slices.Reverse(s.turns) // so that no cell always comes first
	}
	s.relate(samples)
	s.print(out, samples)
	return nil
}

func (s section) round(ctx context.Context, l *lab, o settings, samples map[string][]sample) error {
	for _, c := range s.turns {
		if err := ctx.Err(); err != nil {
			return err
		}
		raw, err := l.raw(s, c, o)
		if err != nil {
			return fmt.Errorf("baseline: %w", err)
		}
		one, err := l.sample(c, o.slice)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		if raw.rate > 0 {
			one.ratio = one.rate / raw.rate
			if c.daemon != nil {
				one.room = float64(runtime.NumCPU()) * float64(raw.caller) / float64(one.cpu())
			}
		}
		samples[c.name] = append(samples[c.name], one)
	}
	return nil
}

// relate gives the ratios of a section that has a base of its own, each to the base in the same round.
func (s section) relate(samples map[string][]sample) {
	for name := range samples {
		for round, base := range samples[s.base] {
			samples[name][round].ratio = samples[name][round].rate / base.rate
			samples[name][round].room = float64(base.cpu()) / float64(samples[name][round].cpu())
		}
	}
}

// raw is the baseline at this moment; nothing where the section has another.
func (l *lab) raw(s section, c cell, o settings) (sample, error) {
	if s.base != "" || c.task.Alg == "" {
		return sample{}, nil
	}
	return l.sample(cell{role: "pkcs11", task: task{Do: "raw", Alg: c.task.Alg}}, o.raw)
}

func perSecond(o outcome) float64 { return float64(o.Count) / max(o.Elapsed, 1).Seconds() }

// start brings up what the cell needs and warms it up.
func (l *lab) start(ctx context.Context, c cell) error {
	for _, role := range []string{"pkcs11", c.role} {
		if l.children[role] != nil {
			continue
		}
		started, err := startChild(ctx, l.bed, role)
		if err != nil {
			return err
		}
		l.children[role] = started
	}
	if c.daemon != nil && l.daemons[*c.daemon] == nil {
		d, err := startDaemon(ctx, l.bed, *c.daemon)
		if err != nil {
			return err
		}
		l.daemons[*c.daemon] = d
	}
	_, err := l.sample(c, warmUp)
	return err
}

// sample measures a cell once.
func (l *lab) sample(c cell, d time.Duration) (sample, error) {
	child, t := l.children[c.role], c.task
	t.For = d
	front, pool := []int(nil), childrenOf(child.pid())
	if c.daemon != nil {
		daemon := l.daemons[*c.daemon]
		t.Socket, front, pool = daemon.socket, []int{daemon.pid()}, childrenOf(daemon.pid())
	}
	before := [3]time.Duration{cpuTime(child.pid()), cpuTime(front...), cpuTime(pool...)}
	result, err := child.do(t)
	after := [3]time.Duration{cpuTime(child.pid()), cpuTime(front...), cpuTime(pool...)}
	if err != nil {
		return sample{}, err
	}
	per := func(i int) time.Duration { return (after[i] - before[i]) / time.Duration(max(result.Count, 1)) }
	return sample{
		rate: perSecond(result), p50: result.P50, p99: result.P99,
		caller: per(0), front: per(1), workers: per(2),
	}, nil
}

func (l *lab) close() error {
	var problems []error
	for _, d := range l.daemons {
		problems = append(problems, d.stop())
	}
	for _, c := range l.children {
		problems = append(problems, c.stop())
	}
	return errors.Join(problems...)
}
