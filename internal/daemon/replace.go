package daemon

import (
	"cmp"
	"context"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/keyset"
)

// replace makes the next version of a set. All daemons of one HSM come here at
// about the same time, so each waits for a moment of its own and looks again:
// whoever is first makes the version, and the others find it.
func (r *rotation) replace(ctx context.Context, p SetPlan) {
	spread := max(min(longestSpread, r.every(p.Name)/1000), time.Second)
	if !sleep(ctx, r.delay(spread)) {
		return
	}
	if err := r.look(ctx); err != nil {
		r.tellFailure(p, err)
		return
	}
	r.notice()
	ring, auto := r.ring.current.Load(), r.auto()
	p = r.plan(ring, p.Name, auto)
	if !p.Auto || !p.Late || len(p.Lost) > 0 {
		return
	}
	if r.made[p.Name].Equal(p.DueAt) {
		if r.due("still due "+p.Name, warnEvery) {
			r.logger.Error("a version was made and the next one is due all the same: compare the clocks of this machine and the others, and see assertd key list", "key", p.Name)
		}
		return
	}
	r.make(ctx, p, auto[p.Name], spread)
}

// make has the HSM generate a version. Its creation time lies up to spread
// ahead, so that two daemons at the same moment do not choose the same label;
// a version that comes into being early is only published for longer.
func (r *rotation) make(ctx context.Context, p SetPlan, typ hsm.KeyType, spread time.Duration) {
	created := keyset.NextCreated(versions(p.Plan), spread, r.now()).Add(r.delay(spread).Truncate(time.Second))
	key, err := r.generate(ctx, hsm.Spec{Label: keyset.Label(p.Name, created), Type: typ})
	if err == nil {
		err = r.look(ctx)
	}
	if err != nil {
		r.tellFailure(p, err)
		return
	}
	r.made[p.Name] = p.DueAt
	r.notice()
	r.logger.Info("made the next version of a key set", "key", p.Name, "label", key.Label, "type", key.Type, "signs", r.takesOver(p.Name, key.Label))
}

func versions(p keyset.Plan) []keyset.Version {
	all := make([]keyset.Version, 0, len(p.Versions))
	for _, v := range p.Versions {
		all = append(all, v.Version)
	}
	return all
}

// takesOver says from when a version signs.
func (r *rotation) takesOver(set, label string) string {
	plan, _ := r.ring.current.Load().Plan(set)
	for _, v := range plan.Versions {
		switch {
		case v.Label != label:
		case v.State == keyset.Signing:
			return "now"
		case v.Next == keyset.Signing && !v.NextAt.IsZero():
			return "from " + stamp(v.NextAt)
		}
	}
	return "once it is under rotation.activate"
}

// sleep waits, and tells whether it was not woken by the end of ctx.
func sleep(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(cmp.Or(wait, 1))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
