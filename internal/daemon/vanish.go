package daemon

import (
	"errors"
	"io/fs"
	"maps"
	"os"

	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/jwks"
)

// notice holds the versions that are in the ring now against those of the last
// look. One that was published and is gone is lost: receivers still trust it,
// and nobody knows where it is. It must only be called after a look that every
// token answered.
func (r *rotation) notice() {
	now := make(map[string]map[string]keyset.State)
	for _, p := range r.plans() {
		states := make(map[string]keyset.State, len(p.Versions))
		for _, v := range p.Versions {
			states[v.Kid] = v.State
		}
		now[p.Name] = states
		r.compare(p.Name, r.known[p.Name], states)
	}
	r.testify()
	r.forget(now)
	r.known = now
}

// lastPublished is what an earlier run left in jwks.file. Labels alone can't tell
// a version that vanished while no daemon ran from one that was never made, and
// the next one would be generated in its place.
func (d *Daemon) lastPublished() []jwks.Key {
	if d.Config.JWKS.File == "" {
		return nil
	}
	text, err := os.ReadFile(d.Config.JWKS.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var set jwks.Set
	if err == nil {
		set, err = jwks.ParseSet(text)
	}
	if err != nil {
		d.Logger.Warn("the jwks file can't be read, and does not tell whether a published key has vanished since", "error", err)
	}
	return set.Keys()
}

// onToken are the kids of all key pairs on the tokens.
func (d *Daemon) onToken() map[string]bool {
	kids := make(map[string]bool)
	for _, key := range d.pool.Inventory() {
		if kid, err := jwks.Thumbprint(key.Public); err == nil {
			kids[kid] = true
		}
	}
	return kids
}

// testify has the file of an earlier run say once what was published then. It
// does not tell of which set a key was: one that no token holds any more is lost
// to each that its algorithm fits.
func (r *rotation) testify() {
	if len(r.witness) == 0 {
		return
	}
	there := r.onToken()
	for _, key := range r.witness {
		if there[key.Kid] {
			continue
		}
		sets := r.assertionSets(key.Alg)
		for _, set := range sets {
			r.lose(set, key.Kid)
		}
		if len(sets) > 1 {
			r.logger.Warn("a key that the jwks file shows is on no token; the file does not tell of which key set it was", "kid", key.Kid, "could be of", sets)
		}
	}
	r.witness = nil
}

// assertionSets are the published key sets of an algorithm.
func (r *rotation) assertionSets(alg string) (names []string) {
	for _, set := range r.ring.current.Load().Sets() {
		if !set.Raw && set.Alg == alg {
			names = append(names, set.Name)
		}
	}
	return names
}

func (r *rotation) compare(set string, before, now map[string]keyset.State) {
	for kid, state := range before {
		if _, there := now[kid]; there {
			continue
		}
		if !state.InJWKS() {
			r.logger.Info("a key version that nobody uses any more is gone from the token", "key", set, "kid", kid, "state", state)
			continue
		}
		r.lose(set, kid)
	}
}

func (r *rotation) lose(set, kid string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lost[set] == nil {
		r.lost[set] = make(map[string]bool)
	}
	r.lost[set][kid] = true
}

// forget takes back what is there again, what the configuration revokes, and
// sets that are configured no more.
func (r *rotation) forget(now map[string]map[string]keyset.State) {
	revoked := make(map[string]bool)
	for _, set := range r.ring.current.Load().Sets() {
		for _, kid := range set.Rotation.Revoke {
			revoked[kid] = true
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for set, kids := range r.lost {
		states, configured := now[set]
		maps.DeleteFunc(kids, func(kid string, _ bool) bool {
			_, back := states[kid]
			return back || !configured || revoked[kid]
		})
		if len(kids) == 0 {
			delete(r.lost, set)
			delete(r.told, "lost "+set)
		}
	}
}

// alarm tells of lost keys, at once and then every day.
func (r *rotation) alarm(p SetPlan) {
	if r.due("lost "+p.Name, warnEvery) {
		r.logger.Error("a published key version has vanished from the token, which is there and answers; nothing is generated in its place: "+
			"find out who destroyed it, restore the token from its backup, or put the kid under rotation.revoke and reload",
			"key", p.Name, "kids", p.Lost)
	}
}
