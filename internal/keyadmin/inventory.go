package keyadmin

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/spelling"
	"github.com/assertd/assertd/jwks"
)

// Errors of looking up a key or a key set.
var (
	ErrNoSuchSet = errors.New("no such key set")
	ErrNoSuchKey = errors.New("no such key")
	ErrAmbiguous = errors.New("more than one key matches")
	ErrUnsound   = errors.New("the key set has a problem")
)

// Admin works on the keys of one token.
type Admin struct {
	token  *hsm.Token
	sets   []KeySet
	others []string
	now    func() time.Time
}

// New returns an Admin for an open token. Without a configuration, sets is
// empty: then keys have no state and nothing is pruned. Others names the other
// tokens of the configuration, which may hold versions too.
func New(token *hsm.Token, sets []KeySet, others []string, now func() time.Time) *Admin {
	return &Admin{token: token, sets: sets, others: others, now: now}
}

// Key is a key pair on the token, as a version of one key set or of none.
type Key struct {
	keyset.PlannedVersion // State is empty if unknown

	Set          string // empty if it belongs to none
	Alg          string // empty if it belongs to no key set
	Certificates []*x509.Certificate
	Problem      error // why it can't be used
	Pair         *hsm.Key
}

// Inventory is the keys on a token at one time.
type Inventory struct {
	At    time.Time
	Token hsm.TokenInfo
	Keys  []Key // by key set and creation time; then those of no set, by label
	Plans []Plan
}

// Plan is the schedule of one configured key set.
type Plan struct {
	keyset.Plan
	Set     KeySet
	Problem error // why the daemon refuses the set
}

// Inventory reads the token. Its errors are those of hsm.Token.Keys, which
// doesn't mistake an absent token for an empty one.
func (a *Admin) Inventory() (*Inventory, error) {
	pairs, err := a.token.Keys()
	if err != nil {
		return nil, err
	}
	certificates, err := a.token.Certificates()
	if err != nil {
		return nil, err
	}
	inv := &Inventory{At: a.now(), Token: a.token.Info()}
	found := ringPairs(pairs, certificates)
	owned := make(map[int]bool)
	for _, set := range a.sets {
		inv.add(set, pairs, found, owned)
	}
	var strays []Key
	for i, pair := range pairs {
		if !owned[i] {
			strays = append(strays, stray(pair, found[i]))
		}
	}
	slices.SortFunc(strays, func(a, b Key) int { return cmp.Or(cmp.Compare(a.Label, b.Label), cmp.Compare(a.Kid, b.Kid)) })
	inv.Keys = append(inv.Keys, strays...)
	inv.noteShared()
	inv.noteElsewhere(a.others)
	return inv, nil
}

// ringPairs converts the token's pairs to those of internal/keyset, in the same
// order.
func ringPairs(pairs []*hsm.Key, certificates []hsm.Certificate) []keyset.Pair {
	all := make([]keyset.Pair, 0, len(pairs))
	for _, pair := range pairs {
		p := keyset.Pair{Label: pair.Label(), ID: pair.ID(), Public: pair.Public(), Imported: pair.Imported()}
		if err := pair.Problem(); err != nil {
			p.Problem = err.Error()
		}
		p.Ref, _ = jose.Fingerprint(p.Public) // zero without a public half
		for _, c := range certificates {
			if len(c.ID) > 0 && bytes.Equal(c.ID, p.ID) {
				p.Certificates = append(p.Certificates, c.Certificate)
			}
		}
		all = append(all, p)
	}
	return all
}

// add adds a configured key set with its pairs and their schedule.
func (inv *Inventory) add(set KeySet, pairs []*hsm.Key, found []keyset.Pair, owned map[int]bool) {
	var versions []keyset.Version
	findings := keyset.Survey([]keyset.Set{set.Set}, found)
	for _, f := range findings {
		owned[f.Index] = true
		if f.Scheduled() {
			versions = append(versions, f.Version)
		}
	}
	ring := keyset.New([]keyset.Set{set.Set}, keyset.Holdings{Pairs: found}, nil, func() time.Time { return inv.At })
	problem := errors.Join(ring.Problems(set.Name)...)
	plan := Plan{Plan: keyset.Schedule(versions, set.Rotation, inv.At), Set: set, Problem: problem}
	if now, _ := ring.Plan(set.Name); plan.Signing == "" {
		plan.Reason = now.Reason
	}
	inv.Plans = append(inv.Plans, plan)
	for _, planned := range plan.Versions {
		i := slices.IndexFunc(findings, func(f keyset.Finding) bool { return f.Scheduled() && f.Version == planned.KeyVersion })
		f := findings[i]
		findings = slices.Delete(findings, i, i+1)
		inv.Keys = append(inv.Keys, Key{
			PlannedVersion: planned, Set: set.Name, Alg: set.Alg, Certificates: f.Key.Certificates, Pair: pairs[f.Index], Problem: f.Err,
		})
	}
	for _, f := range findings {
		key := stray(pairs[f.Index], found[f.Index])
		key.Set, key.Alg, key.Problem = set.Name, set.Alg, f.Err
		inv.Keys = append(inv.Keys, key)
	}
}

// stray returns a pair that is in no schedule.
func stray(pair *hsm.Key, found keyset.Pair) Key {
	key := Key{Pair: pair, Problem: pair.Problem(), Certificates: keyset.Chain(found.Public, found.Certificates)}
	key.Label = pair.Label()
	if kid, err := jwks.Thumbprint(pair.Public()); err == nil {
		key.Kid = kid
	}
	if _, created, err := keyset.ParseLabel(key.Label); err == nil {
		key.Created = created
	}
	return key
}

// noteShared notes pairs that serve two sets as a problem of both sets: with
// one set's raw signatures, a caller could forge the other's assertions.
func (inv *Inventory) noteShared() {
	serves, kids := make(map[[32]byte][]string), make(map[[32]byte]string)
	for _, key := range inv.Keys {
		ref := key.Pair.Fingerprint() // the kid depends on the set
		if key.Set != "" && key.Kid != "" && !slices.Contains(serves[ref], key.Set) {
			serves[ref], kids[ref] = append(serves[ref], key.Set), cmp.Or(kids[ref], key.Kid)
		}
	}
	for ref, names := range serves {
		for i := range inv.Plans {
			p := &inv.Plans[i]
			if len(names) > 1 && slices.Contains(names, p.Set.Name) {
				p.Problem = errors.Join(p.Problem, fmt.Errorf("%w: key pair %s serves %s; give each key set its own pair",
					keyset.ErrKey, kids[ref], strings.Join(names, " and ")))
			}
		}
	}
}

// noteElsewhere says of the sets without a version on this token where else to
// look before another is made.
func (inv *Inventory) noteElsewhere(others []string) {
	for i := range inv.Plans {
		if p := &inv.Plans[i]; len(others) > 0 && len(p.Versions) == 0 && p.Problem == nil {
			p.Reason = "no version is on this token; look on the others with --on " + strings.Join(others, ", --on ")
		}
	}
}

// plan returns the schedule of a key set.
func (inv *Inventory) plan(set string) (Plan, error) {
	var names []string
	for _, p := range inv.Plans {
		if p.Set.Name == set {
			return p, nil
		}
		names = append(names, p.Set.Name)
	}
	return Plan{}, fmt.Errorf("%w: %q; %s", ErrNoSuchSet, set, spelling.DidYouMean(set, names))
}

// sound returns the schedule of a key set, and refuses a set with a problem: a
// schedule that lacks keys leads to wrong decisions.
func (inv *Inventory) sound(set string) (Plan, error) {
	p, err := inv.plan(set)
	if err == nil && p.Problem != nil {
		err = fmt.Errorf("%w: %w", ErrUnsound, p.Problem)
	}
	return p, err
}

// Find returns the key with a kid (with or without the prefix "kid:"), a label,
// or "id:" and the CKA_ID in hexadecimal, or the only version of a key set.
// Errors: ErrNoSuchKey, ErrAmbiguous.
func (inv *Inventory) Find(name string) (Key, error) {
	var matches []Key
	for _, key := range inv.Keys {
		if key.named(name) && !slices.ContainsFunc(matches, func(k Key) bool { return k.Pair == key.Pair }) {
			matches = append(matches, key)
		}
	}
	switch len(matches) {
	case 0:
		return Key{}, fmt.Errorf("%w: %q is not a kid, label or key set on token %q; %s", ErrNoSuchKey, name, inv.Token.Label, inv.suggest(name))
	case 1:
		return matches[0], nil
	}
	var names []string
	for _, key := range matches {
		names = append(names, fmt.Sprintf("%s (%s, id:%x)", key.Kid, Printable(key.Label), key.Pair.ID()))
	}
	return Key{}, fmt.Errorf("%w: %q could be %s; use the kid or the ID", ErrAmbiguous, name, strings.Join(names, ", or "))
}

// suggest says what to try instead of a name that no key has.
func (inv *Inventory) suggest(name string) string {
	var names []string
	for _, key := range inv.Keys {
		names = append(names, key.Kid, key.Label, key.Set)
	}
	if near := spelling.Nearest(name, names); near != "" {
		return "did you mean " + Printable(near) + "?"
	}
	return "run assertd key list"
}

func (k Key) named(name string) bool {
	if id, ok := strings.CutPrefix(name, "id:"); ok {
		return strings.EqualFold(id, fmt.Sprintf("%x", k.Pair.ID()))
	}
	if kid, ok := strings.CutPrefix(name, "kid:"); ok {
		return kid == k.Kid
	}
	return name != "" && (name == k.Kid || name == k.Label || name == k.Set)
}
