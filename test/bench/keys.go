package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/test/softhsm"
)

// pairs is how many key pairs the token of these measurements has.
const pairs = 1000

// keyGoals are those of a daemon with many keys.
func keyGoals() []goal {
	return []goal{
		{"start", "start to the first assertion, s", 2, startWithKeys},
		{"look", "CPU of a look at the keys, with all that an idle daemon does meanwhile, s", 0.3, lookAtKeys},
		{"p99", "p99 at 8 callers while reloads look at the keys, of that without", 1.5, looksUnderLoad},
	}
}

// startWithKeys returns the median time from the start of the daemon's process
// to its first assertion, in seconds.
func startWithKeys(ctx context.Context, e env, o settings) (float64, error) {
	var took []float64
	for range o.rounds {
		began := time.Now()
		d, err := startDaemon(ctx, e, defaults)
		if err != nil {
			return 0, err
		}
		took = append(took, time.Since(began).Seconds())
		if err := d.stop(); err != nil {
			return 0, err
		}
	}
	return median(took), nil
}

// lookAtKeys returns the CPU time of an idle daemon and its children between
// two looks at the keys, in seconds.
func lookAtKeys(ctx context.Context, e env, o settings) (seconds float64, err error) {
	err = withDaemon(ctx, e, defaults, func(d *daemon, _ *child) error {
		looks := min(o.rounds, 2)
		processes := append(childrenOf(d.pid()), d.pid())
		before, err := idleCPUTime(ctx, processes)
		if err != nil {
			return err
		}
		select {
		case <-time.After(time.Duration(looks) * keyset.PollInterval):
		case <-ctx.Done():
			return ctx.Err()
		}
		seconds = ((cpuTime(processes...) - before) / time.Duration(looks)).Seconds()
		return nil
	})
	return seconds, err
}

// idleCPUTime waits until the start is over, also that of the last worker, and
// returns the CPU time that the processes have used by then.
func idleCPUTime(ctx context.Context, processes []int) (time.Duration, error) {
	for used, deadline := cpuTime(processes...), time.Now().Add(keyset.PollInterval/2); time.Now().Before(deadline); {
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		now := cpuTime(processes...)
		if now-used <= 20*time.Millisecond { // two ticks of the kernel's clock
			return now, nil
		}
		used = now
	}
	return 0, errors.New("the daemon is still busy long after its start")
}

// looksUnderLoad compares the p99 of callers while the daemon looks at its keys
// without a pause with that while it doesn't. Each look is that of a reload,
// since the daemon's own come only every 30 s.
func looksUnderLoad(ctx context.Context, e env, o settings) (ratio float64, err error) {
	err = withDaemon(ctx, e, defaults, func(d *daemon, load *child) error {
		t := task{Alg: algorithms[0].alg, Callers: 8, Socket: d.socket, For: 2 * o.slice}
		var ratios []float64
		for range 2 * o.rounds {
			quiet, err := load.do(t)
			if err != nil {
				return err
			}
			end := d.reloadRepeatedly(ctx)
			looking, err := load.do(t)
			if err := errors.Join(err, end()); err != nil {
				return err
			}
			ratios = append(ratios, float64(looking.P99)/float64(quiet.P99))
		}
		ratio = median(ratios)
		return nil
	})
	return ratio, err
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
