package keyadmin

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/jwks"
)

// ErrAdopted reports a key that already belongs to another key set.
var ErrAdopted = errors.New("the key belongs to another key set")

// Adoption is an existing key that a key set can take over.
type Adoption struct {
	Set, Alg string
	Key      Key
}

// AdoptionDocument is an Adoption as JSON.
type AdoptionDocument struct {
	Set           string      `json:"key_set"`
	Alg           string      `json:"alg"`
	Key           KeyDocument `json:"key"`
	Configuration string      `json:"configuration"` // to add, in YAML
}

// Document returns the adoption as JSON.
func (a Adoption) Document() AdoptionDocument {
	return AdoptionDocument{Set: a.Set, Alg: a.Alg, Key: a.Key.Document(), Configuration: a.Configuration()}
}

// Adopt checks whether a key set can take over a key that assertd did not
// generate: the label and ID are unique, the attributes are right
// (hsm.ErrCustody names each that is not), the key is strong enough, it belongs
// to no other set, and it signs. alg may be empty if the key type implies it.
// Adopt doesn't change the key: to adopt it, add the output of Configuration to
// the configuration.
func (a *Admin) Adopt(ctx context.Context, set, alg string, selector hsm.Selector) (Adoption, error) {
	if err := jwks.CheckSetName(set); err != nil {
		return Adoption{}, err
	}
	pair, err := a.token.Find(selector)
	if err != nil {
		return Adoption{}, err
	}
	if err := pair.Problem(); err != nil {
		if pair.Tightens() {
			err = fmt.Errorf("%w; or run assertd key tighten, after which this key passes", err)
		}
		return Adoption{}, err
	}
	inv, err := a.Inventory()
	if err != nil {
		return Adoption{}, err
	}
	for _, key := range inv.Keys {
		if key.Set != "" && key.Set != set && key.Pair.Label() == pair.Label() && slices.Equal(key.Pair.ID(), pair.ID()) {
			return Adoption{}, fmt.Errorf("%w: %q is a version of %q; a key pair can serve only one key set", ErrAdopted, pair.Label(), key.Set)
		}
	}
	if alg, err = a.algorithm(set, alg, pair); err != nil {
		return Adoption{}, err
	}
	found := Key{Set: set, Alg: alg, Pair: pair}
	kubernetes := slices.ContainsFunc(a.sets, func(s KeySet) bool { return s.Name == set && s.Kubernetes })
	if err := found.checkAdoption(kubernetes); err != nil {
		return Adoption{}, err
	}
	return Adoption{Set: set, Alg: alg, Key: found}, pair.Prove(ctx, alg)
}

// algorithm returns the configured set's algorithm, the requested one, or the
// only one that the key supports.
func (a *Admin) algorithm(set, alg string, pair *hsm.Key) (string, error) {
	for _, s := range a.sets {
		if s.Name == set {
			if alg != "" && alg != s.Alg {
				return "", fmt.Errorf("%w: the configuration has %s for %q, not %s", ErrNoAlgorithm, s.Alg, set, alg)
			}
			alg = s.Alg
		}
	}
	possible := jwks.Algorithms(pair.Public())
	switch {
	case alg != "" && !slices.Contains(possible, alg):
		return "", fmt.Errorf("%w: %s; a key of type %s signs %s", ErrNoAlgorithm, alg, pair.Type(), strings.Join(possible, ", "))
	case alg == "" && pair.Type() != hsm.Ed25519 && len(possible) != 1:
		return "", fmt.Errorf("%w: a key of type %s can sign %s; choose one with --alg", ErrNoAlgorithm, pair.Type(), strings.Join(possible, ", "))
	case alg == "":
		return possible[0], nil
	}
	return alg, nil
}

// checkAdoption applies the daemon's checks to the key, and gives it the kid
// that it will have.
func (k *Key) checkAdoption(kubernetes bool) error {
	set := keyset.Set{Name: k.Set, Alg: k.Alg, Kubernetes: kubernetes, Label: k.Pair.Label(), ID: k.Pair.ID(), AcceptImported: true}
	findings := keyset.Survey([]keyset.Set{set}, ringPairs([]*hsm.Key{k.Pair}, nil))
	if len(findings) != 1 {
		return fmt.Errorf("%w: the key has neither a label nor an ID to name it by", ErrNoSuchKey)
	}
	k.Kid, k.Label = findings[0].Version.Kid, k.Pair.Label()
	return findings[0].Err
}

// Configuration returns the YAML that adopts the key.
func (a Adoption) Configuration() string {
	var text strings.Builder
	fmt.Fprintf(&text, "keys:\n  %s:\n    alg: %s\n    use: assertion   # or raw\n", a.Set, a.Alg)
	if label := a.Key.Pair.Label(); label != "" {
		quoted, _ := json.Marshal(label) // a string always encodes
		fmt.Fprintf(&text, "    label: %s\n", quoted)
	}
	if id := a.Key.Pair.ID(); len(id) > 0 {
		fmt.Fprintf(&text, "    id: %q\n", hex.EncodeToString(id))
	}
	if a.Key.Pair.Imported() {
		text.WriteString("    accept: imported   # it was outside the HSM, or the HSM doesn't tell: somebody may have a copy\n")
	}
	text.WriteString("    # created: 2026-01-31T12:00:00Z   # when it was generated, if known: rotation counts from then\n")
	return text.String()
}
