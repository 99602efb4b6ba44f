package chaos

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/assertd/assertd/ipc"
)

// run is a run of phases against a site under load.
type run struct {
	site          *site
	random        *rand.Rand
	steady, shaky *callers
	replaced      int // workers, before the first phase
	report        report
}

// newRun starts a daemon and its callers.
func newRun(t testing.TB, seed uint64) *run {
	t.Helper()
	s := newSite(t)
	s.serve()
	return &run{site: s, random: rand.New(rand.NewPCG(seed, 0)), steady: s.newCallers(steady), shaky: s.newCallers(shaky)}
}

// warmUp lets the daemon do once what it does later: sign with all workers,
// reload, and answer operators. Then it measures.
func (r *run) warmUp(ctx context.Context) {
	r.phase(ctx, &phase{name: "warm-up", fault: reloads{}, limit: patience}, time.Second)
	r.report = report{before: r.measure()}
	r.replaced = r.site.restarts()
	r.choose()
}

// rounds runs rounds of all phases for a time, to the nearest round, and at
// least one.
func (r *run) rounds(ctx context.Context, duration time.Duration) {
	order := slices.Clone(r.report.phases)
	for end := time.Now().Add(duration); ; {
		began := time.Now()
		r.random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, p := range order {
			if ctx.Err() == nil {
				r.phase(ctx, p, hold)
			}
		}
		if ctx.Err() != nil || time.Until(end) < time.Since(began)/2 {
			return
		}
	}
}

// end measures again, and stops the callers and the daemon.
func (r *run) end() {
	r.report.after = r.settled(r.report.before)
	r.report.replaced = r.site.restarts() - r.replaced
	if r.report.replaced == 0 {
		r.site.t.Error("no worker was replaced, so the faults had no effect")
	}
	r.steady.end()
	r.shaky.end()
	r.site.stop()
	r.site.command(r.site.binary, "audit", "verify", "--all", r.site.disk.path("audit.jsonl"))
}

// phase runs a phase and adds its outcome to it.
func (r *run) phase(ctx context.Context, p *phase, hold time.Duration) {
	began, before := time.Now(), r.site.counts()
	r.steady.begin(p.steady)
	r.shaky.begin(p.shaky)
	within, cancel := context.WithTimeout(ctx, hold)
	p.fault.strike(within, r, rand.New(rand.NewPCG(r.random.Uint64(), 0)))
	cancel()
	r.steady.heal()
	r.shaky.heal()
	p.recovery = max(p.recovery, r.await(p))
	after := r.site.counts()
	seen := r.count(p, steady, p.steady, r.steady.counted(), after.since(before, steady))
	seen += r.count(p, shaky, p.shaky, r.shaky.counted(), after.since(before, shaky))
	if len(p.steady) > 0 && seen == 0 {
		r.site.t.Errorf("%s: nobody was refused, so the fault had no effect", p.name)
	}
	r.site.t.Logf("%s took %v", p.name, time.Since(began).Round(time.Millisecond))
}

// count adds what a client's callers noticed, and fails the test for what they
// should not have. refused is the daemon's count of refusals and failures: the
// SDK hides some from its callers by asking again. It returns their number.
func (r *run) count(p *phase, client string, expected []ipc.Code, t tally, refused map[ipc.Code]int) (all int) {
	for _, example := range t.examples {
		r.site.t.Errorf("%s: a caller of %s failed %s", p.name, client, example)
	}
	unexpected := 0
	for code, n := range refused {
		if !slices.Contains(expected, code) {
			r.site.t.Errorf("%s: the daemon failed %d requests of %s with %s", p.name, n, client, string(code))
			unexpected += n
		}
		all += n
	}
	t.unexpected = max(t.unexpected, unexpected)
	t.retried = max(0, all-t.refused-t.unexpected)
	p.tally.add(t)
	return all
}

// await waits until all callers are served again, and all workers are ready. It
// returns how long the callers took.
func (r *run) await(p *phase) time.Duration {
	var took time.Duration
	r.site.eventually(p.name+": all callers are served again", func() bool {
		one, first := r.steady.recovered()
		two, second := r.shaky.recovered()
		took = max(one, two)
		return first && second
	})
	if took > p.limit {
		r.site.t.Errorf("%s: callers were served again after %v, want at most %v", p.name, took, p.limit)
	}
	r.site.eventually(p.name+": all workers are ready", r.site.allReady)
	return took
}
