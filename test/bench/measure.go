package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"time"
)

// harness holds the processes of one section.
type harness struct {
	env      env
	children map[string]*child
	daemons  map[variant]*daemon
	peers    map[string]*peer
}

// sample is the result of a case in one round.
type sample struct {
	rate                   float64 // per second
	ratio                  float64 // to the section's base
	byCPU                  float64 // the ratio that the CPU times would allow on an otherwise idle machine
	p50, p99               time.Duration
	caller, front, workers time.Duration // CPU for one operation
	switches               float64       // voluntary context switches of the front for one operation
}

func (s sample) cpu() time.Duration { return s.caller + s.front + s.workers }

const warmUp = 50 * time.Millisecond

// measure runs the section's cases and prints their table.
func (s section) measure(ctx context.Context, e env, o settings, r *report, progress io.Writer) (err error) {
	s = s.chosen(o)
	if len(s.cases) == 0 {
		return nil
	}
	if s.setUp != nil {
		if e, err = s.setUp(e, ctx); err != nil {
			return err
		}
	}
	l := &harness{env: e, children: map[string]*child{}, daemons: map[variant]*daemon{}, peers: map[string]*peer{}}
	defer func() { err = errors.Join(err, l.close()) }()
	for _, c := range s.cases {
		if err := l.start(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	s.order = slices.Clone(s.cases)
	samples := make(map[string][]sample)
	for round := range o.rounds {
		fmt.Fprintf(progress, "%s: round %d of %d\n", s.name, round+1, o.rounds)
		if err := s.round(ctx, l, o, samples); err != nil {
			return err
		}
		slices.Reverse(s.order) // or one case would always come first
	}
	return r.section(s, samples)
}

// baseCase is the case that the ratios refer to.
func (s section) baseCase() benchCase {
	return s.cases[slices.IndexFunc(s.cases, func(c benchCase) bool { return c.name == s.base })]
}

func (s section) round(ctx context.Context, l *harness, o settings, samples map[string][]sample) error {
	for _, c := range s.order {
		if err := ctx.Err(); err != nil {
			return err
		}
		if s.base != "" {
			pairs, err := l.inTurns(s.baseCase(), c, o.slice)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			samples[c.name] = append(samples[c.name], pairs...)
			continue
		}
		raw, err := l.raw(c, o)
		if err != nil {
			return fmt.Errorf("baseline: %w", err)
		}
		one, err := l.sample(c, o.slice)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		if raw.rate > 0 {
			one.ratio = one.rate / raw.rate
			if c.daemon != nil || c.peer != "" {
				one.byCPU = float64(runtime.NumCPU()) * float64(raw.caller) / float64(one.cpu())
			}
		}
		samples[c.name] = append(samples[c.name], one)
	}
	return nil
}

// turns is how many slices of a case are measured in one round if it is
// compared with another case.
const turns = 12

// inTurns measures a case between slices of the base, and compares each slice
// with the two beside it. Whatever else the machine does meanwhile changes more
// slowly than that, or hits only some of the slices; the table has the median.
func (l *harness) inTurns(base, c benchCase, slice time.Duration) ([]sample, error) {
	slice = max(slice*2/turns, time.Millisecond) // four times as long together, with the base
	before, err := l.sample(base, slice)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", base.name, err)
	}
	var all []sample
	for range turns {
		one, err := l.sample(c, slice)
		if err != nil {
			return nil, err
		}
		after, err := l.sample(base, slice)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", base.name, err)
		}
		one.ratio = one.rate / math.Sqrt(before.rate*after.rate)
		one.byCPU = float64(before.cpu()+after.cpu()) / 2 / float64(one.cpu())
		all, before = append(all, one), after
	}
	return all, nil
}

// raw measures the baseline now.
func (l *harness) raw(c benchCase, o settings) (sample, error) {
	if c.task.Alg == "" {
		return sample{}, nil
	}
	return l.sample(benchCase{role: "pkcs11", task: task{Do: "raw", Alg: c.task.Alg}}, o.raw)
}

func perSecond(o outcome) float64 { return float64(o.Count) / max(o.Elapsed, 1).Seconds() }

// start starts the processes that the case needs and warms them up.
func (l *harness) start(ctx context.Context, c benchCase) error {
	for _, role := range []string{"pkcs11", c.role} {
		if l.children[role] != nil {
			continue
		}
		started, err := startChild(ctx, l.env, role)
		if err != nil {
			return err
		}
		l.children[role] = started
	}
	if c.daemon != nil && l.daemons[*c.daemon] == nil {
		d, err := startDaemon(ctx, l.env, *c.daemon)
		if err != nil {
			return err
		}
		l.daemons[*c.daemon] = d
	}
	if c.peer != "" && l.peers[c.peer] == nil {
		p, err := startPeer(ctx, l.env, c.peer)
		if err != nil {
			return err
		}
		l.peers[c.peer] = p
	}
	_, err := l.sample(c, warmUp)
	return err
}

// sample measures a case once.
func (l *harness) sample(c benchCase, d time.Duration) (sample, error) {
	child, t := l.children[c.role], c.task
	t.For = d
	front, pool := []int(nil), childrenOf(child.pid())
	if c.daemon != nil {
		daemon := l.daemons[*c.daemon]
		t.Socket, front, pool = daemon.socket, []int{daemon.pid()}, childrenOf(daemon.pid())
	}
	if peer := l.peers[c.peer]; peer != nil {
		t.Socket, front, pool = peer.socket, []int{peer.pid()}, childrenOf(peer.pid())
	}
	before := [3]time.Duration{cpuTime(child.pid()), cpuTime(front...), cpuTime(pool...)}
	waits := voluntarySwitches(front...)
	result, err := child.do(t)
	waits = voluntarySwitches(front...) - waits
	after := [3]time.Duration{cpuTime(child.pid()), cpuTime(front...), cpuTime(pool...)}
	if err != nil {
		return sample{}, err
	}
	per := func(i int) time.Duration { return (after[i] - before[i]) / time.Duration(max(result.Count, 1)) }
	return sample{
		rate: perSecond(result), p50: result.P50, p99: result.P99,
		caller: per(0), front: per(1), workers: per(2), switches: float64(waits) / float64(max(result.Count, 1)),
	}, nil
}

func (l *harness) close() error {
	var problems []error
	for _, d := range l.daemons {
		problems = append(problems, d.stop())
	}
	for _, p := range l.peers {
		problems = append(problems, p.stop())
	}
	for _, c := range l.children {
		problems = append(problems, c.stop())
	}
	return errors.Join(problems...)
}
