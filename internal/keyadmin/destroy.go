package keyadmin

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/assertd/assertd/internal/keyset"
)

// ErrInUse is a key that receivers still trust, or may have to.
var ErrInUse = errors.New("the key is in use")

// Prunable lists the retired versions of the sets named, or of all where none
// is. A set of which something is wrong is refused (ErrUnsound): what is retired
// follows from all of its versions.
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

// MayPrune allows retired versions alone.
func MayPrune(k Key) error {
	if k.State != keyset.Retired {
		return fmt.Errorf("%w: key %s (%s) is %s; prune takes retired versions alone", ErrInUse, k.Kid, Printable(k.Label), orUnknown(k.State))
	}
	return nil
}

// MayDestroy refuses what the JWKS shows: a key is taken out of use before it
// is destroyed, so that no receiver is left with assertions it can't verify.
func MayDestroy(k Key) error {
	if !k.State.InJWKS() {
		return nil
	}
	return fmt.Errorf("%w: key %s (%s) is %s, and the JWKS has it; put its kid under keys.%s.rotation.revoke and reload every daemon, then destroy it",
		ErrInUse, k.Kid, Printable(k.Label), k.State, k.Set)
}

func orUnknown(s keyset.State) string {
	if s == "" {
		return "in no schedule"
	}
	return string(s)
}

// Destroy destroys a key pair for good, with its public half and certificates.
// A person may have thought about it for a while, so it reads the token again
// and asks may about the key as it is now.
func (a *Admin) Destroy(k Key, may func(Key) error) error {
	inv, err := a.Inventory()
	if err != nil {
		return err
	}
	var now []Key
	for _, key := range inv.Keys {
		if key.Kid == k.Kid && key.Label == k.Label && bytes.Equal(key.Pair.ID(), k.Pair.ID()) {
			now = append(now, key)
		}
	}
	if len(now) == 0 {
		return fmt.Errorf("%w: %s (%s) is gone already", ErrNoSuchKey, k.Kid, Printable(k.Label))
	}
	// A pair that serves two key sets is there twice, and must be free in both.
	for _, key := range now {
		if key.Pair != now[0].Pair {
			return fmt.Errorf("%w: two pairs have kid %s, label %q and the same id; destroy one with the HSM's own tool", ErrAmbiguous, k.Kid, k.Label)
		}
		if err := may(key); err != nil {
			return err
		}
	}
	return a.token.Destroy(now[0].Pair)
}

// Confirmation is what a person types before the key is destroyed: its kid, or
// its label where it has none.
func (k Key) Confirmation() string {
	if k.Kid == "" {
		return k.Label
	}
	return k.Kid
}
