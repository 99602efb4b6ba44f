package keyset

import (
	"time"

	"github.com/assertd/assertd/jwks"
)

// Recall returns the ring of a daemon that has not read a token yet: it has no
// key sets. The keys that an earlier run published last witness what labels
// don't say: which versions had left the JWKS. Without any record of what was
// published, pass nil.
func Recall(published []jwks.Key) *Ring {
	if published == nil {
		return &Ring{}
	}
	r := &Ring{published: make(map[string]bool, len(published))}
	for _, key := range published {
		r.published[key.Kid] = true
	}
	return r
}

// follow makes a ring continue the former one, whatever has changed on the
// tokens or in the configuration:
//
//   - A version that has left the JWKS doesn't sign again (R9).
//   - A version that signed until now stays in the JWKS as long as its
//     assertions may live (R4), by the settings with which it signed them.
//
// It must be called before the ring is in use.
func (r *Ring) follow(former *Ring) {
	r.published = former.published
	now := r.now()
	for name, e := range r.sets {
		var before Plan
		var was Rotation
		if f := former.sets[name]; f != nil {
			before, was = Schedule(f.versions, f.set.Rotation, now), f.set.Rotation
		}
		e.set.Rotation.Past = Past{Expires: was.Past.Expires}
		left := retired(before)
		if r.published != nil && e.set.InJWKS() {
			e.addUnpublished(left, r.published)
			e.addSuperseded(left, r.published, before, now)
		}
		e.set.Rotation.Past.Dropped = dropped(e.versions, e.set.Rotation, left, now)
		e.set.Rotation.Past.Expires = e.expiries(was, before, now)
	}
}

// retired are the kids of the versions of a plan that have left the JWKS.
func retired(p Plan) map[string]bool {
	kids := make(map[string]bool)
	for _, v := range p.Versions {
		if v.State == Retired {
			kids[v.Kid] = true
		}
	}
	return kids
}

// addUnpublished adds the kids of the versions that an earlier run no longer
// published, although it published a newer one.
func (e *entry) addUnpublished(kids, published map[string]bool) {
	ordered := byCreation(e.versions)
	newest := len(ordered) - 1
	for newest >= 0 && !published[ordered[newest].Kid] {
		newest--
	}
	for _, v := range ordered[:max(newest, 0)] {
		if !published[v.Kid] {
			kids[v.Kid] = true
		}
	}
}

// addSuperseded adds the kids of the versions that left the JWKS after another
// one took over that is revoked now. If that one was revoked before its turn,
// the earlier run still published them. The record has no versions that are
// newer than this run, so it says nothing about those seen before.
func (e *entry) addSuperseded(kids, published map[string]bool, before Plan, now time.Time) {
	seen := make(map[string]bool, len(before.Versions))
	for _, v := range before.Versions {
		seen[v.Kid] = true
	}
	r := e.set.Rotation
	r.Revoke = nil
	for kid := range retired(Schedule(e.versions, r, now)) {
		if !seen[kid] && !published[kid] {
			kids[kid] = true
		}
	}
}

// dropped returns those of the versions that left the JWKS which would sign
// again, now or later. In place of one that would sign now, the next older one
// would, and so on: they are all held back.
func dropped(versions []Version, r Rotation, left map[string]bool, now time.Time) map[string]bool {
	held := make(map[string]bool)
	for known := -1; known < len(held); {
		known, r.Past.Dropped = len(held), held
		plan := Schedule(versions, r, now)
		older := left[plan.Signing]
		for _, v := range plan.Versions {
			coming := v.State == Waiting || v.State == Published || v.State == Signing
			if left[v.Kid] && (coming || older && v.State == Retired) {
				held[v.Kid] = true
			}
			older = older && v.Kid != plan.Signing
		}
	}
	return held
}

// expiries are those of the past and of the change from the former settings and
// their schedule: of the version that signed, if it doesn't now, and of all
// whose assertions were allowed to live longer. It leaves out what has expired.
func (e *entry) expiries(was Rotation, before Plan, now time.Time) map[string]time.Time {
	expires, r := make(map[string]time.Time), e.set.Rotation
	for kid, at := range was.Past.Expires {
		if at.Add(r.KeepAfter).After(now) {
			expires[kid] = at
		}
	}
	signing, shorter := Schedule(e.versions, r, now).Signing, r.AssertionLife < was.AssertionLife
	for _, v := range before.Versions {
		switch {
		case v.State == Signing && (v.Kid != signing || shorter):
			expires[v.Kid] = later(expires[v.Kid], now.Add(was.AssertionLife))
		case v.State == Retiring && shorter && !v.NextAt.IsZero():
			expires[v.Kid] = later(expires[v.Kid], v.NextAt.Add(-was.KeepAfter))
		}
	}
	return expires
}
