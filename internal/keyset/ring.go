// Package keyset is the lifecycle of key sets. It matches the configured sets
// with the key pairs on the HSM, and decides which version of a set signs at a
// given moment and which public keys are published.
//
// It keeps no state of its own: a version's state follows from the labels on
// the token, the rotation settings and the clock (Schedule). A Ring is
// immutable; a new one replaces it when the HSM's inventory or the
// configuration changes.
package keyset

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/jwks"
)

// ErrKey is the kind of every problem with a key pair on the HSM.
var ErrKey = errors.New("key refused")

// Set is a key set as configured.
type Set struct {
	Name     string
	Alg      string // JOSE algorithm of every version
	Raw      bool   // only raw signatures; otherwise only assertions
	Rotation Rotation
	Auto     bool // the daemon makes the next version
	Bits     int  // of the RSA keys that it makes; 0 for the default

	// An existing key is adopted by naming its label, its ID, or both.
	Label   string
	ID      []byte
	Created time.Time // of an adopted key; zero for "before all others"

	// Certificates are those of the configured file, for any versions, in any
	// order. They take precedence over those on the token.
	Certificates []*x509.Certificate
}

// Pair is a key pair as the HSM reports it.
type Pair struct {
	Label        string
	ID           []byte
	Ref          [32]byte // SHA-256 of the SubjectPublicKeyInfo
	Public       crypto.PublicKey
	Certificates []*x509.Certificate
	Problem      string // why this pair can't be used; empty if it can
}

// Ring answers which key signs. It is safe for concurrent use.
type Ring struct {
	now  func() time.Time
	sets map[string]*entry
}

// entry is one key set with its versions on the HSM.
type entry struct {
	set      Set
	versions []Version
	keys     map[string]Key // by kid
	plan     atomic.Pointer[plan]
}

// plan is a schedule that is valid from a moment until its NextChange.
type plan struct {
	Plan
	from time.Time
}

// New matches the sets with the pairs. Every pair that belongs to a set must be
// usable. An unusable pair is an error that names it and wraps ErrKey, as are
// two pairs with one label and one pair that serves two sets. A set without a
// pair is not an error; Missing lists such sets.
func New(sets []Set, pairs []Pair, now func() time.Time) (*Ring, error) {
	r := &Ring{now: now, sets: make(map[string]*entry, len(sets))}
	owner := make(map[[32]byte]string)
	var problems []error
	for _, set := range sets {
		e, err := newEntry(set, pairs)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		problems = append(problems, claim(owner, e)...)
		r.sets[set.Name] = e
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return r, nil
}

// claim records which set each pair serves, and refuses a pair that serves two:
// a raw signature made for one could forge an assertion of the other.
func claim(owner map[[32]byte]string, e *entry) (problems []error) {
	for kid, key := range e.keys {
		if other, taken := owner[key.Ref]; taken {
			problems = append(problems, fmt.Errorf("%w: key pair %s serves both %q and %q; give each key set its own pair",
				ErrKey, kid, other, e.set.Name))
		}
		owner[key.Ref] = e.set.Name
	}
	return problems
}

func newEntry(set Set, pairs []Pair) (*entry, error) {
	e := &entry{set: set, keys: make(map[string]Key)}
	var problems []error
	for _, f := range survey(set, pairs) {
		if f.Err != nil {
			problems = append(problems, f.Err)
			continue
		}
		e.versions = append(e.versions, f.Version)
		e.keys[f.Version.Kid] = f.Key
	}
	for _, err := range []error{CheckVersions(e.versions), set.Rotation.Check()} {
		if err != nil {
			problems = append(problems, fmt.Errorf("%w: key set %q: %w", ErrKey, set.Name, err))
		}
	}
	problems = append(problems, e.checkFile())
	return e, errors.Join(problems...)
}

// current returns the schedule now. It computes a new one only when the last
// one has expired or the clock went back.
func (e *entry) current(now time.Time) *plan {
	if p := e.plan.Load(); p != nil && !now.Before(p.from) && (p.NextChange.IsZero() || now.Before(p.NextChange)) {
		return p
	}
	p := &plan{Plan: Schedule(e.versions, e.set.Rotation, now), from: now}
	e.plan.Store(p)
	return p
}

// SigningKey implements signer.Keys.
func (r *Ring) SigningKey(set string) (Key, error) {
	e, ok := r.sets[set]
	if !ok {
		return Key{}, fmt.Errorf("%w: the HSM has no usable key of set %q", ErrNoKey, set)
	}
	p := e.current(r.now())
	if p.Signing == "" {
		return Key{}, fmt.Errorf("%w: key set %q: %s", ErrNoKey, set, p.Reason)
	}
	return e.keys[p.Signing], nil
}

// Plan returns the schedule of a key set now. It computes one each time, since
// a version becomes due without any change of state.
func (r *Ring) Plan(set string) (Plan, bool) {
	e, ok := r.sets[set]
	if !ok {
		return Plan{}, false
	}
	plan := Schedule(e.versions, e.set.Rotation, r.now())
	plan.Name, plan.Auto = set, e.set.Auto
	return plan, true
}

// Sets lists the key sets by name.
func (r *Ring) Sets() []Set {
	var sets []Set
	for _, name := range slices.Sorted(maps.Keys(r.sets)) {
		sets = append(sets, r.sets[name].set)
	}
	return sets
}

// Set returns a key set by its name, the zero Set if there is none.
func (r *Ring) Set(name string) Set {
	if e, ok := r.sets[name]; ok {
		return e.set
	}
	return Set{}
}

// Key returns a version of a set by its kid.
func (r *Ring) Key(set, kid string) (Key, bool) {
	e, ok := r.sets[set]
	if !ok {
		return Key{}, false
	}
	key, ok := e.keys[kid]
	return key, ok
}

// Published lists the public keys of the given sets that are in the JWKS now,
// and when that list changes next (zero for never).
func (r *Ring) Published(sets ...string) (keys []jwks.Key, next time.Time) {
	for _, name := range sets {
		e, ok := r.sets[name]
		if !ok {
			continue
		}
		p := e.current(r.now())
		for _, v := range published(p.Plan) {
			keys = append(keys, e.keys[v.Kid].Key)
		}
		next = earlier(next, p.NextChange)
	}
	return keys, next
}

// Content returns what receivers may see now, and until when: one JWK set of
// all assertion keys and, with perSet, one for each key set.
func (r *Ring) Content(perSet bool) (jwks.Content, error) {
	sets := r.AssertionSets()
	keys, next := r.Published(sets...)
	all, err := jwks.NewSet(keys)
	if err != nil || !perSet {
		return jwks.Content{Set: all, NextChange: next}, err
	}
	content := jwks.Content{Set: all, Sets: make(map[string]jwks.Set), NextChange: next}
	for _, name := range sets {
		keys, _ := r.Published(name)
		if content.Sets[name], err = jwks.NewSet(keys); err != nil {
			return jwks.Content{}, err
		}
	}
	return content, nil
}

// Probes returns the keys that a probe may sign with, each with the options of
// its set's algorithm: all versions that are not revoked.
func (r *Ring) Probes() map[[32]byte]crypto.SignerOpts {
	probes := make(map[[32]byte]crypto.SignerOpts)
	for _, e := range r.sets {
		for kid, key := range e.keys {
			if a, err := jose.Lookup(key.Alg); err == nil && !slices.Contains(e.set.Rotation.Revoke, kid) {
				probes[key.Ref] = a.Options
			}
		}
	}
	return probes
}

// AssertionSets names the sets whose keys are in the JWKS.
func (r *Ring) AssertionSets() []string {
	var names []string
	for _, set := range r.Sets() {
		if !set.Raw {
			names = append(names, set.Name)
		}
	}
	return names
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

// Missing returns an error for each set without a version that signs now, with
// the reason.
func (r *Ring) Missing() []error {
	var missing []error
	for _, set := range r.Sets() {
		if _, err := r.SigningKey(set.Name); err != nil {
			missing = append(missing, err)
		}
	}
	return missing
}

// Active holds the Ring in force. It is safe for concurrent use.
type Active struct{ ring atomic.Pointer[Ring] }

// Ring returns the ring in force.
func (a *Active) Ring() *Ring { return a.ring.Load() }

// Replace puts a ring in force.
func (a *Active) Replace(r *Ring) { a.ring.Store(r) }

// SigningKey returns the version of the set that signs now. The error wraps
// ErrNoKey and says why none does.
func (a *Active) SigningKey(set string) (Key, error) { return a.Ring().SigningKey(set) }
