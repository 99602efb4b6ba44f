package keyset

import (
	"context"
	"crypto/rsa"
	"time"

	"github.com/assertd/assertd/internal/sleep"
)

// maxSpread bounds the time over which the daemons of one HSM spread out before
// they make a version, so that the first one's is on the token for the rest.
const maxSpread = 5 * time.Minute

// generateNext makes the next version of a set. All daemons of one HSM get here
// at about the same time, so each waits for a random time and reads the tokens
// again: the first makes the version, and the others find it.
func (r *Rotator) generateNext(ctx context.Context, plan Plan) {
	spread := r.spread(plan.Name)
	if !sleep.For(ctx, r.delay(spread)) {
		return
	}
	if err := r.tokens.Refresh(ctx); err != nil {
		r.warnFailed(plan, err)
		return
	}
	r.compare()
	// Only now: a reload during the wait may have changed the set.
	set := r.keys.Ring().Set(plan.Name)
	plan = r.plan(r.keys.Ring(), plan.Name)
	if !plan.Auto || !plan.Late || len(plan.Lost) > 0 {
		return
	}
	if err := r.keys.Ring().NextRefused(set.Name); err != nil {
		r.warnHeld(plan, err)
		return
	}
	if r.generated[set.Name].Equal(plan.DueAt) {
		r.warnStillDue(set.Name)
		return
	}
	r.generate(ctx, set, plan, spread)
}

// generate has the HSM make a version. Its creation time is up to spread ahead,
// so that two daemons at the same moment don't choose the same label; a version
// that exists early is only published for longer.
func (r *Rotator) generate(ctx context.Context, set Set, plan Plan, spread time.Duration) {
	created := NextCreated(versions(plan), spread, r.now()).Add(r.delay(spread).Truncate(time.Second))
	label := Label(set.Name, created)
	err := r.tokens.Generate(ctx, set, label)
	if err == nil {
		err = r.tokens.Refresh(ctx)
	}
	if err != nil {
		r.warnFailed(plan, err)
		return
	}
	r.generated[set.Name] = plan.DueAt
	r.compare()
	fields := []any{"key", set.Name, "label", label, "alg", set.Alg}
	if bits := r.bits(set.Name, label); bits > 0 {
		fields = append(fields, "bits", bits)
	}
	r.logger.Info("generated the next version of a key set", append(fields, "signs", r.takesOver(set.Name, label))...)
}

func versions(plan Plan) []Version {
	all := make([]Version, 0, len(plan.Versions))
	for _, v := range plan.Versions {
		all = append(all, v.KeyVersion)
	}
	return all
}

// spread is in proportion to how often the set rotates.
func (r *Rotator) spread(set string) time.Duration {
	return max(min(maxSpread, r.every(set)/1000), time.Second)
}

// bits is the RSA modulus size of a version; 0 for other keys.
func (r *Rotator) bits(set, label string) int {
	plan, _ := r.keys.Ring().Plan(set)
	for _, v := range plan.Versions {
		key, _ := r.keys.Ring().Key(set, v.Kid)
		if public, ok := key.Public.(*rsa.PublicKey); ok && v.Label == label {
			return public.N.BitLen()
		}
	}
	return 0
}

// takesOver says from when a version signs.
func (r *Rotator) takesOver(set, label string) string {
	plan, _ := r.keys.Ring().Plan(set)
	for _, v := range plan.Versions {
		switch {
		case v.Label != label:
		case v.State == Signing:
			return "now"
		case v.Uncertified:
			return "once it has a certificate"
		case v.Next == Signing && !v.NextAt.IsZero():
			return "from " + stamp(v.NextAt)
		}
	}
	return "once rotation.activate lists it"
}
