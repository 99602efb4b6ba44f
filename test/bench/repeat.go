package main

import (
	"errors"
	"math"
	"slices"
	"sync"
	"time"
)

// repeat runs the operation in a loop in each caller until the time is up. A
// caller stops at its first error.
func repeat(op operation, callers int, d time.Duration) outcome {
	results := make([]tally, callers)
	var all sync.WaitGroup
	began := time.Now()
	for i := range results {
		all.Go(func() { results[i].run(op, began.Add(d)) })
	}
	all.Wait()
	return summarize(results, time.Since(began))
}

// exactly runs the operation so many times in one caller.
func exactly(op operation, times int) (o outcome) {
	for range times {
		n, err := op()
		if err != nil {
			o.Error = err.Error()
			break
		}
		o.Count += n
	}
	return o
}

// tally counts what one caller did.
type tally struct {
	count int
	took  []time.Duration
	err   error
}

func (l *tally) run(op operation, end time.Time) {
	for now := time.Now(); now.Before(end); {
		n, err := op()
		if err != nil {
			l.err = err
			return
		}
		then := now
		now = time.Now()
		l.count += n
		l.took = append(l.took, now.Sub(then))
	}
}

func summarize(tallies []tally, elapsed time.Duration) outcome {
	o := outcome{Elapsed: elapsed}
	var took []time.Duration
	var errs []error
	for _, l := range tallies {
		o.Count += l.count
		took = append(took, l.took...)
		errs = append(errs, l.err)
	}
	if err := errors.Join(errs...); err != nil {
		o.Error = err.Error()
	}
	o.P50, o.P99, o.Worst = quantile(took, 0.5), quantile(took, 0.99), quantile(took, 1)
	return o
}

// quantile returns the smallest value that at least the given part of the
// values does not exceed. It sorts the values.
func quantile[T int | float64 | time.Duration](values []T, part float64) T {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[max(int(math.Ceil(part*float64(len(values))))-1, 0)]
}

func median[T int | float64 | time.Duration](values []T) T {
	return quantile(slices.Clone(values), 0.5)
}
