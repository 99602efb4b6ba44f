package keyadmin

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/assertd/assertd/internal/keyset"
)

// ErrInUse reports a key that receivers trust or may still need.
var ErrInUse = errors.New("the key is in use")

// Prunable returns the retired versions of the named sets, or of all sets. It
// refuses a set with a problem (ErrUnsound), since all of its versions
// determine which have retired.
func (inv *Inventory) Prunable(sets ...string) ([]Key, error) {
	if len(sets) == 0 {
		for _, p := range inv.Plans {
			sets = append(sets, p.Set.Name)
		}
	}
	var prunable []Key
	for _, set := range sets {
		if _, err := inv.sound(set); err != nil {
			return nil, err
		}
		for _, key := range inv.Keys {
			if key.Set == set && MayPrune(key) == nil {
				prunable = append(prunable, key)
			}
		}
	}
	return prunable, nil
}

// MayPrune allows only retired versions.
func MayPrune(k Key) error {
	if k.State != keyset.Retired {
		return fmt.Errorf("%w: key %s (%s) is %s; only retired versions can be pruned", ErrInUse, k.Kid, Printable(k.Label), orUnknown(k.State))
	}
	return nil
}

// MayDestroy refuses keys in the JWKS. A key must be taken out of use first, or
// receivers would get assertions that they can't verify.
func MayDestroy(k Key) error {
	if !k.State.InJWKS() {
		return nil
	}
	return fmt.Errorf("%w: key %s (%s) is %s and in the JWKS; add its kid to keys.%s.rotation.revoke and reload every daemon before you destroy it",
		ErrInUse, k.Kid, Printable(k.Label), k.State, k.Set)
}

func orUnknown(s keyset.State) string {
	if s == "" {
		return "not in a schedule"
	}
	return string(s)
}

// Destroy permanently destroys a key pair with its certificates. It reads the
// token again and calls may with the key's current state, since confirmation
// can take a person a while.
func (a *Admin) Destroy(k Key, may func(Key) error) error {
	inv, err := a.Inventory()
	if err != nil {
		return err
	}
	var now []Key
	for _, key := range inv.Keys {
		if key.Pair.Fingerprint() == k.Pair.Fingerprint() && key.Label == k.Label && bytes.Equal(key.Pair.ID(), k.Pair.ID()) {
			now = append(now, key)
		}
	}
	if len(now) == 0 {
		return fmt.Errorf("%w: %s (%s) is already gone", ErrNoSuchKey, k.Kid, Printable(k.Label))
	}
	// A pair that serves two key sets is listed twice, perhaps with two kids. may
	// must allow both.
	for _, key := range now {
		if key.Pair != now[0].Pair {
			return fmt.Errorf("%w: two pairs have kid %s, label %q and the same ID; destroy one with the HSM vendor's tool", ErrAmbiguous, k.Kid, k.Label)
		}
		if err := may(key); err != nil {
			return err
		}
	}
	return a.token.Destroy(now[0].Pair)
}

// Confirmation returns what a person must type to destroy the key: its kid, or
// its label if it has none.
func (k Key) Confirmation() string {
	if k.Kid == "" {
		return k.Label
	}
	return k.Kid
}
