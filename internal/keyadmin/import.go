package keyadmin

import (
	"crypto"
	"errors"
	"fmt"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/jwks"
)

// Errors of importing a key.
var (
	// ErrNotAccepted reports a key set that takes no imported keys.
	ErrNotAccepted = errors.New("the key set doesn't accept imported keys")
	// ErrPresent reports a key that is on the token already.
	ErrPresent = errors.New("the key is already on the token")
)

// Import puts a key that was made elsewhere on the token as the next version of
// a key set. The set must accept that in the configuration, since the key stays
// imported for good. hsm.Token.Import checks the key's attributes and a
// signature. Errors: ErrNoSuchSet, ErrUnsound, ErrNotAccepted, ErrPresent,
// ErrNoAlgorithm if the key doesn't fit the set, and those of hsm.Token.Import.
func (a *Admin) Import(set string, private crypto.Signer) (Key, error) {
	inv, err := a.Inventory()
	if err != nil {
		return Key{}, err
	}
	plan, err := inv.sound(set)
	switch {
	case err != nil:
		return Key{}, err
	case !plan.Set.AcceptImported:
		return Key{}, fmt.Errorf("%w: set keys.%s.accept: imported first, if its receiver leaves no other choice", ErrNotAccepted, set)
	}
	if alg, err := jose.Lookup(plan.Set.Alg); err != nil || !alg.Fits(private.Public()) {
		return Key{}, fmt.Errorf("%w: the key in the file can't sign %s, the algorithm of %q", ErrNoAlgorithm, plan.Set.Alg, set)
	}
	label := keyset.Label(set, keyset.NextCreated(plan.versions(), plan.Set.Rotation.PublishBefore, a.now()))
	return a.store(inv, hsm.Spec{Label: label, Alg: plan.Set.Alg}, private)
}

// ImportLabeled is Import for a key that no key set has yet: Adopt prints the
// configuration that gives it to one.
func (a *Admin) ImportLabeled(label string, private crypto.Signer) (Key, error) {
	inv, err := a.Inventory()
	if err != nil {
		return Key{}, err
	}
	return a.store(inv, hsm.Spec{Label: label}, private)
}

// store imports a key that isn't on the token yet: the same pair under two
// labels could end up in two key sets.
func (a *Admin) store(inv *Inventory, spec hsm.Spec, private crypto.Signer) (Key, error) {
	if _, err := jwks.Thumbprint(private.Public()); err != nil {
		return Key{}, fmt.Errorf("%w: %w", ErrNoPublicKey, err)
	}
	ref, err := jose.Fingerprint(private.Public())
	if err != nil {
		return Key{}, fmt.Errorf("%w: %w", ErrNoPublicKey, err)
	}
	for _, k := range inv.Keys {
		if k.Pair.Fingerprint() == ref {
			return Key{}, fmt.Errorf("%w: %s, with the label %s", ErrPresent, k.Kid, Printable(k.Label))
		}
	}
	pair, err := a.token.Import(spec, private)
	if err != nil {
		return Key{}, err
	}
	if inv, err = a.Inventory(); err != nil {
		return Key{}, fmt.Errorf("key %q was imported, but reading the token failed: %w", spec.Label, err)
	}
	return inv.Find(fmt.Sprintf("id:%x", pair.ID()))
}

// Tighten sets the attributes that keep a key in the token and let it only
// sign, as hsm.Token.Tighten does.
func (a *Admin) Tighten(k Key) (Key, error) {
	if _, err := a.token.Tighten(k.Pair); err != nil {
		return Key{}, err
	}
	inv, err := a.Inventory()
	if err != nil {
		return Key{}, err
	}
	return inv.Find("id:" + fmt.Sprintf("%x", k.Pair.ID()))
}
