package keyset

import (
	"maps"
	"slices"
)

// plan is the schedule of a set with its lost keys.
func (r *Rotator) plan(ring *Ring, set string) Plan {
	plan, _ := ring.Plan(set)
	r.mu.Lock()
	defer r.mu.Unlock()
	plan.Lost = slices.Sorted(maps.Keys(r.lost[set]))
	return plan
}

// compare checks the versions that are in the ring now against those of the
// last poll. One that was published and is gone is lost: receivers still trust
// it, and nobody knows where it is. It must only be called after a poll that
// every token answered. A key that is on a token and no longer used by its set
// is refused or no longer configured, not lost.
func (r *Rotator) compare() {
	now, kids := make(map[string]map[string]State), r.keys.Ring().Kids()
	for _, plan := range r.Plans() {
		states := make(map[string]State, len(plan.Versions))
		for _, v := range plan.Versions {
			states[v.Kid] = v.State
		}
		now[plan.Name] = states
		r.compareSet(plan.Name, r.known[plan.Name], states, kids)
	}
	r.comparePublished(kids)
	r.forgetFound(now, kids)
	r.known = now
}

func (r *Rotator) compareSet(set string, before, now map[string]State, kids map[string]bool) {
	for kid, state := range before {
		if _, found := now[kid]; found || kids[kid] {
			continue
		}
		if !state.InJWKS() {
			r.logger.Info("a key version that is no longer in use is gone from the token", "key", set, "kid", kid, "state", state)
			continue
		}
		r.addLost(set, kid)
	}
}

// comparePublished looks, once, for the keys that an earlier run published.
// Labels alone can't tell a version that vanished while no daemon ran from one
// that was never made, and the next one would be generated in its place. The
// JWKS doesn't say which set a key was in: one that no token holds is lost to
// each set that its algorithm fits.
func (r *Rotator) comparePublished(kids map[string]bool) {
	for _, key := range r.published {
		if kids[key.Kid] {
			continue
		}
		sets := r.publishedSets(key.Alg)
		for _, set := range sets {
			r.addLost(set, key.Kid)
		}
		if len(sets) > 1 {
			r.logger.Warn("a key in the jwks file is on no token; the file does not say which key set it was in", "kid", key.Kid, "candidates", sets)
		}
	}
	r.published = nil
}

// publishedSets names the published key sets of an algorithm.
func (r *Rotator) publishedSets(alg string) (names []string) {
	for _, set := range r.keys.Ring().Sets() {
		if set.InJWKS() && set.Alg == alg {
			names = append(names, set.Name)
		}
	}
	return names
}

func (r *Rotator) addLost(set, kid string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lost[set] == nil {
		r.lost[set] = make(map[string]bool)
	}
	r.lost[set][kid] = true
}

// forgetFound drops lost keys that are back, that the configuration revokes,
// and those of sets that are no longer configured.
func (r *Rotator) forgetFound(now map[string]map[string]State, onToken map[string]bool) {
	revoked := make(map[string]bool)
	for _, set := range r.keys.Ring().Sets() {
		for _, kid := range set.Rotation.Revoke {
			revoked[kid] = true
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for set, kids := range r.lost {
		_, configured := now[set]
		maps.DeleteFunc(kids, func(kid string, _ bool) bool { return onToken[kid] || !configured || revoked[kid] })
		if len(kids) == 0 {
			delete(r.lost, set)
			delete(r.lastWarned, "lost "+set)
		}
	}
}
