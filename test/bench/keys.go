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
		{"idle", "CPU of an idle daemon between two looks at the keys, of one CPU", 0.01, idleWithKeys},
		{"look", "CPU of a look at the keys, s", 0.3, lookAtKeys},
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

// idleWithKeys returns the share of one CPU that a daemon and its children use
// between two looks at the keys.
func idleWithKeys(ctx context.Context, e env, _ settings) (share float64, err error) {
	err = withDaemon(ctx, e, defaults, func(d *daemon, _ *child) error {
		share, err = idleShare(ctx, append(childrenOf(d.pid()), d.pid()))
		return err
	})
	return share, err
}

// lookAtKeys returns the CPU time of a look at the keys, in seconds: what an
// idle daemon and its children use with looks, less what they use without.
func lookAtKeys(ctx context.Context, e env, o settings) (seconds float64, err error) {
	err = withDaemon(ctx, e, defaults, func(d *daemon, _ *child) error {
		processes := append(childrenOf(d.pid()), d.pid())
		idle, err := idleShare(ctx, processes)
		if err != nil {
			return err
		}
		looks := time.Duration(min(o.rounds, 2))
		used, err := usedCPU(ctx, processes, looks*keyset.PollInterval)
		seconds = used.Seconds()/float64(looks) - idle*keyset.PollInterval.Seconds()
		return err
	})
	return seconds, err
}

// idleShare waits until the start is over, also that of the last worker, and
// returns the share of one CPU that the processes use before the first look.
func idleShare(ctx context.Context, processes []int) (float64, error) {
	const window = keyset.PollInterval / 3
	for deadline := time.Now().Add(window); time.Now().Before(deadline); {
		used, err := usedCPU(ctx, processes, time.Second)
		if err != nil {
			return 0, err
		}
		if used <= 20*time.Millisecond { // two ticks of the kernel's clock
			used, err = usedCPU(ctx, processes, window)
			return used.Seconds() / window.Seconds(), err
		}
	}
	return 0, errors.New("the daemon is still busy long after its start")
}

// usedCPU is the CPU time that the processes use in the given time.
func usedCPU(ctx context.Context, processes []int, in time.Duration) (time.Duration, error) {
	before := cpuTime(processes...)
	select {
	case <-time.After(in):
		return cpuTime(processes...) - before, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
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
