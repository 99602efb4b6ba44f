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
	"strings"
	"sync/atomic"
	"time"

	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/jwks"
)

// ErrKey is the kind of every problem with a key pair on the HSM.
var ErrKey = errors.New("key refused")

// Set is a key set as configured.
type Set struct {
	Name string
	Alg  string // JOSE algorithm of every version
	Raw  bool   // only raw signatures; otherwise only JWTs
	// Kubernetes is for tokens of Kubernetes service accounts. Their issuer has a
	// JWK set of its own: who can forge assertions still can't forge tokens.
	Kubernetes bool
	Rotation   Rotation
	Auto       bool // the daemon makes the next version
	Bits       int  // of the RSA keys that it makes; 0 for the default

	// An existing key is adopted by naming its label, its ID, or both.
	Label   string
	ID      []byte
	Created time.Time // of an adopted key; zero for "before all others"
	// AcceptImported accepts pairs that were outside the HSM.
	AcceptImported bool

	// Certificates are those of the configured file, for any versions, in any
	// order. They take precedence over those on the token.
	Certificates []*x509.Certificate
}

// InJWKS reports whether the set's keys are in the JWK set that all receivers
// of assertions share.
func (s Set) InJWKS() bool { return !s.Raw && !s.Kubernetes }

// Pair is a key pair as the HSM reports it.
type Pair struct {
	Label        string
	ID           []byte
	Ref          [32]byte // SHA-256 of the SubjectPublicKeyInfo
	Public       crypto.PublicKey
	Certificates []*x509.Certificate
	Problem      string // why this pair can't be used; empty if it can
	Imported     bool   // it was outside the HSM before, or the HSM doesn't tell
}

// Holdings is what is known of the tokens.
type Holdings struct {
	Pairs    []Pair
	Revision uint64   // of Pairs: another one whenever they change
	Unread   []string // tokens whose keys have never been read
	// Unproved are the proofs that pairs failed, with the reason, although
	// nothing else is wrong with them.
	Unproved map[Proof]string
}

// Ring answers which key signs. It is safe for concurrent use.
type Ring struct {
	now       func() time.Time
	sets      map[string]*entry
	held      Holdings        // that it was made from, without the pairs
	kids      map[string]bool // of all pairs
	published map[string]bool // kids that an earlier run published last
}

// New matches the sets with the key pairs on the tokens. Each set is judged by
// itself: a pair that can't be used is left out of its set, and a set without a
// version that can sign refuses, with the reason, while the others sign.
// Problems lists what was left out. The former ring, if there is one, decides
// between two versions that can't be told apart, and the new one follows it.
func New(sets []Set, held Holdings, former *Ring, now func() time.Time) *Ring {
	r := &Ring{now: now, sets: make(map[string]*entry, len(sets)), held: held, kids: kidsOf(held.Pairs)}
	r.held.Pairs = nil
	found := make([][]Finding, len(sets))
	for i, set := range sets {
		found[i] = survey(set, held.Pairs)
		refuseUnproved(set.Name, found[i], held.Unproved)
	}
	refuseShared(found)
	for i, set := range sets {
		refuseConflicts(set.Name, found[i], former.entry(set.Name))
		r.sets[set.Name] = newEntry(set, found[i], held.Unread)
	}
	if former != nil {
		r.follow(former)
	}
	return r
}

// kidsOf are the kids of pairs whose public half can be read: all that a key
// set may give them.
func kidsOf(pairs []Pair) map[string]bool {
	kids := make(map[string]bool, 2*len(pairs))
	for _, pair := range pairs {
		for _, set := range []Set{{}, {Kubernetes: true}} {
			if kid, err := set.kid(pair.Public); err == nil {
				kids[kid] = true
			}
		}
	}
	return kids
}

// Reflects reports whether a ring that New makes now of the same sets and these
// holdings would be the same. It goes by their Revision, not by their Pairs.
func (r *Ring) Reflects(held Holdings) bool {
	return r.sets != nil && r.held.Revision == held.Revision && slices.Equal(r.held.Unread, held.Unread) && maps.Equal(r.held.Unproved, held.Unproved)
}

// Kids are the kids of all key pairs on the tokens, whatever their key set.
func (r *Ring) Kids() map[string]bool { return r.kids }

func (r *Ring) entry(set string) *entry {
	if r == nil {
		return nil
	}
	return r.sets[set]
}

// plan is a schedule that is valid from a moment until its NextChange.
type plan struct {
	Plan
	from time.Time
}

// current returns the schedule now. It computes a new one only when the last
// one has expired or the clock went back.
func (e *entry) current(now time.Time) *plan {
	if p := e.plan.Load(); p != nil && !now.Before(p.from) && (p.NextChange.IsZero() || now.Before(p.NextChange)) {
		return p
	}
	p := &plan{Plan: e.schedule(now), from: now}
	e.plan.Store(p)
	return p
}

// SigningKey implements signer.Keys.
func (r *Ring) SigningKey(set string) (Key, error) {
	e, ok := r.sets[set]
	if !ok {
		return Key{}, &NoKeyError{Set: set, Reason: "it is not configured", Public: "it is not configured"}
	}
	now := r.now()
	p := e.current(now)
	if p.Signing == "" {
		return Key{}, e.absence(now)
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
	return e.schedule(r.now()), true
}

// Coming returns the versions of a key set that will sign later.
func (r *Ring) Coming(set string) (coming []Key) {
	e, ok := r.sets[set]
	if !ok {
		return nil
	}
	for _, v := range e.current(r.now()).Versions {
		if v.State == Published || v.State == Waiting {
			coming = append(coming, e.keys[v.Kid])
		}
	}
	return coming
}

// Problems returns, for one key set, why pairs of it are not used and why the
// set is refused, if it is. Each wraps ErrKey. A set without a pair has no
// problem here; SigningKey returns one.
func (r *Ring) Problems(set string) []error {
	e, ok := r.sets[set]
	switch {
	case !ok:
		return nil
	case e.invalid != nil:
		return append(slices.Clone(e.refused), e.invalid)
	}
	return e.refused
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

// NextRefused returns why the newest key pair of a set is refused, nil if it is
// not. Another version would not help then.
func (r *Ring) NextRefused(set string) error {
	if e, ok := r.sets[set]; ok {
		return e.nextRefused
	}
	return nil
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

// Documents says what to publish beside the JWK set of all assertion keys.
type Documents struct {
	PerSet bool // one JWK set for each key set
	// Bundles are the key sets of each SPIFFE trust domain.
	Bundles map[string][]string
	// Issuers are those of Kubernetes tokens.
	Issuers []Issuer
}

// Content returns what receivers may see now, and until when. It fails with
// ErrUnread if there is nothing to publish because a token has not been read:
// receivers drop the keys that an empty set lacks.
func (r *Ring) Content(documents Documents) (jwks.Content, error) {
	sets := r.AssertionSets()
	keys, next := r.Published(sets...)
	if len(sets) > 0 && len(keys) == 0 && len(r.held.Unread) > 0 {
		return jwks.Content{}, fmt.Errorf("%w: token %s", ErrUnread, strings.Join(r.held.Unread, ", "))
	}
	all, err := jwks.NewSet(keys)
	content := jwks.Content{Set: all, NextChange: next, Sets: make(map[string]jwks.Set), Bundles: make(map[string]jwks.Set), Issuers: make(map[string]jwks.Set)}
	if documents.PerSet {
		for _, name := range sets {
			err = errors.Join(err, r.publish(content.Sets, name, name))
		}
	}
	for domain, sets := range documents.Bundles {
		err = errors.Join(err, r.publish(content.Bundles, domain, sets...))
	}
	for _, issuer := range documents.Issuers {
		set, change, failed := r.IssuerKeys(issuer)
		if errors.Is(failed, ErrUnread) {
			continue // the others need not wait for its token
		}
		content.Issuers[issuer.URL], err = set, errors.Join(err, failed)
		content.NextChange = earlier(content.NextChange, change)
	}
	if err != nil {
		return jwks.Content{}, err
	}
	return content, nil
}

// publish adds the published keys of some key sets to a document.
func (r *Ring) publish(documents map[string]jwks.Set, name string, sets ...string) (err error) {
	keys, _ := r.Published(sets...)
	documents[name], err = jwks.NewSet(keys)
	return err
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
		if set.InJWKS() {
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

// Missing returns, for each set, what is wrong with its key pairs and, if that
// does not say it, why no version signs now.
func (r *Ring) Missing() []error {
	var missing []error
	for _, set := range r.Sets() {
		problems := r.Problems(set.Name)
		if _, err := r.SigningKey(set.Name); err != nil && len(problems) == 0 {
			problems = []error{err}
		}
		missing = append(missing, problems...)
	}
	return missing
}

// Active holds the Ring in force. It is safe for concurrent use.
type Active struct{ ring atomic.Pointer[Ring] }

// Ring returns the ring in force.
func (a *Active) Ring() *Ring { return a.ring.Load() }

// Replace puts a ring in force.
func (a *Active) Replace(r *Ring) { a.ring.Store(r) }

// SigningKey returns the version of the set that signs now, or a *NoKeyError.
func (a *Active) SigningKey(set string) (Key, error) { return a.Ring().SigningKey(set) }
