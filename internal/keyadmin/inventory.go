package keyadmin

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/jwks"
)

// What may be wrong with the naming of a key or a key set.
var (
	ErrNoSuchSet = errors.New("no such key set")
	ErrNoSuchKey = errors.New("no such key")
	ErrAmbiguous = errors.New("more than one key fits")
	ErrUnsound   = errors.New("something is wrong with the key set")
)

// Admin works on the keys of one token.
type Admin struct {
	token *hsm.Token
	sets  []KeySet
	now   func() time.Time
}

// New makes an Admin for an open token. Without a configuration sets is empty:
// then nothing is known of states, and nothing is pruned.
func New(token *hsm.Token, sets []KeySet, now func() time.Time) *Admin {
	return &Admin{token: token, sets: sets, now: now}
}

// Key is one key pair on the token as it serves one key set, or none.
type Key struct {
	keyset.PlannedVersion // State is empty where it can't be told

	Set          string // empty where the pair belongs to none
	Alg          string // empty where no key set says it
	Certificates []*x509.Certificate
	Problem      error // why it can't be used
	Pair         *hsm.Key
}

// Inventory is what is on the token at one moment.
type Inventory struct {
	At    time.Time
	Token hsm.TokenInfo
	Keys  []Key // by key set and creation; those of no set at the end, by label
	Plans []Plan
}

// Plan is the schedule of one configured key set.
type Plan struct {
	keyset.Plan
	Set     KeySet
	Problem error // why the daemon would refuse the set as it is
}

// Inventory reads the token. Errors are those of hsm.Token.Keys: an empty
// answer of a token that has vanished is not taken for an empty token.
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
	inv.share()
	return inv, nil
}

// ringPairs describes the token's pairs as the daemon's key ring takes them, in
// the same order.
func ringPairs(pairs []*hsm.Key, certificates []hsm.Certificate) []keyset.Pair {
	all := make([]keyset.Pair, 0, len(pairs))
	for _, pair := range pairs {
		p := keyset.Pair{Label: pair.Label(), ID: pair.ID(), Public: pair.Public()}
		if err := pair.Problem(); err != nil {
			p.Problem = err.Error()
		}
		if der, err := x509.MarshalPKIXPublicKey(p.Public); err == nil {
			p.Ref = sha256.Sum256(der)
		}
		for _, c := range certificates {
			if len(c.ID) > 0 && bytes.Equal(c.ID, p.ID) {
				p.Certificates = append(p.Certificates, c.Certificate)
			}
		}
		all = append(all, p)
	}
	return all
}

// add enters a configured key set with its pairs and their schedule.
func (inv *Inventory) add(set KeySet, pairs []*hsm.Key, found []keyset.Pair, owned map[int]bool) {
	var versions []keyset.Version
	findings := keyset.Survey([]keyset.Set{set.Set}, found)
	for _, f := range findings {
		owned[f.Index] = true
		if f.Err == nil {
			versions = append(versions, f.Version)
		}
	}
	_, problem := keyset.New([]keyset.Set{set.Set}, found, func() time.Time { return inv.At })
	plan := Plan{Plan: keyset.Schedule(versions, set.Rotation, inv.At), Set: set, Problem: problem}
	inv.Plans = append(inv.Plans, plan)
	for _, planned := range plan.Versions {
		i := slices.IndexFunc(findings, func(f keyset.Finding) bool { return f.Err == nil && f.Version == planned.KeyVersion })
		f := findings[i]
		findings = slices.Delete(findings, i, i+1)
		inv.Keys = append(inv.Keys, Key{
			PlannedVersion: planned, Set: set.Name, Alg: set.Alg, Certificates: f.Key.Certificates, Pair: pairs[f.Index],
		})
	}
	for _, f := range findings {
		key := stray(pairs[f.Index], found[f.Index])
		key.Set, key.Alg, key.Problem = set.Name, set.Alg, f.Err
		inv.Keys = append(inv.Keys, key)
	}
}

// stray describes a pair of which no schedule speaks.
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

// share looks for pairs that serve two sets, which no set sees by itself, and
// notes them with both: a raw signature would forge the other's assertions.
func (inv *Inventory) share() {
	serves := make(map[string][]string)
	for _, key := range inv.Keys {
		if key.Set != "" && key.Kid != "" && !slices.Contains(serves[key.Kid], key.Set) {
			serves[key.Kid] = append(serves[key.Kid], key.Set)
		}
	}
	for kid, names := range serves {
		for i := range inv.Plans {
			p := &inv.Plans[i]
			if len(names) > 1 && slices.Contains(names, p.Set.Name) {
				p.Problem = errors.Join(p.Problem, fmt.Errorf("%w: key pair %s serves %s; give each key set a pair of its own",
					keyset.ErrKey, kid, strings.Join(names, " and ")))
			}
		}
	}
}

// plan is the schedule of a key set.
func (inv *Inventory) plan(set string) (Plan, error) {
	var names []string
	for _, p := range inv.Plans {
		if p.Set.Name == set {
			return p, nil
		}
		names = append(names, p.Set.Name)
	}
	return Plan{}, fmt.Errorf("%w: %q; the configuration has %s", ErrNoSuchSet, set, orNone(names))
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// sound is plan, and refuses a set of which something is wrong: what is decided
// on a schedule that leaves keys out would be wrong as well.
func (inv *Inventory) sound(set string) (Plan, error) {
	p, err := inv.plan(set)
	if err == nil && p.Problem != nil {
		err = fmt.Errorf("%w: %w", ErrUnsound, p.Problem)
	}
	return p, err
}

// Find gives the one key that a person means: by kid (with or without "kid:"
// before it), by label, by "id:" and the CKA_ID in hexadecimal, or by the name of
// a key set that has one version.
// Errors: ErrNoSuchKey, ErrAmbiguous.
func (inv *Inventory) Find(name string) (Key, error) {
	var fits []Key
	for _, key := range inv.Keys {
		if key.named(name) && !slices.ContainsFunc(fits, func(k Key) bool { return k.Pair == key.Pair }) {
			fits = append(fits, key)
		}
	}
	switch len(fits) {
	case 0:
		return Key{}, fmt.Errorf("%w: %q is no kid, label or key set of token %q; assertd key list shows what there is", ErrNoSuchKey, name, inv.Token.Label)
	case 1:
		return fits[0], nil
	}
	var names []string
	for _, key := range fits {
		names = append(names, fmt.Sprintf("%s (%s, id:%x)", key.Kid, Printable(key.Label), key.Pair.ID()))
	}
	return Key{}, fmt.Errorf("%w: %q could be %s; name one by its kid or id", ErrAmbiguous, name, strings.Join(names, ", or "))
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
