package keyadmin

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/keyset"
)

// ErrComing reports a version that exists but has not begun to sign.
var ErrComing = errors.New("the next version already exists")

// Generate generates the next version of a key set and returns it with its
// state. hsm.Token.Generate checks the key's attributes and a signature first.
//
// It refuses a set with a problem (ErrUnsound), since another key would not fix
// it. Unless another is true, it also refuses a set whose next version already
// exists (ErrComing).
func (a *Admin) Generate(set string, another bool) (Key, error) {
	inv, err := a.Inventory()
	if err != nil {
		return Key{}, err
	}
	plan, err := inv.sound(set)
	if err != nil {
		return Key{}, err
	}
	if coming, ok := plan.coming(); ok && !another {
		return Key{}, fmt.Errorf("%w: %s, %s; use --another to generate one more", ErrComing, coming.Kid, coming.Outlook(inv.At))
	}
	label := keyset.Label(set, keyset.NextCreated(plan.versions(), plan.Set.Rotation.PublishBefore, a.now()))
	spec := hsm.Spec{Label: label, Type: plan.Set.Type, Alg: plan.Set.Alg, AcceptImported: plan.Set.AcceptImported}
	if _, err := a.token.Generate(spec); err != nil {
		return Key{}, err
	}
	if inv, err = a.Inventory(); err != nil {
		return Key{}, fmt.Errorf("key %q was generated, but reading the token failed: %w", label, err)
	}
	return inv.Find(label)
}

// Missing returns the key sets that have no version yet. It refuses if the
// configuration has other tokens, since they can hold the versions.
func (a *Admin) Missing() ([]string, error) {
	if len(a.others) > 0 {
		return nil, fmt.Errorf("the configuration has more tokens, which may hold the versions (%s); name the key set to generate", strings.Join(a.others, ", "))
	}
	inv, err := a.Inventory()
	if err != nil {
		return nil, err
	}
	var missing []string
	for _, plan := range inv.Plans {
		if plan.Problem == nil && len(plan.Versions) == 0 {
			missing = append(missing, plan.Set.Name)
		}
	}
	return missing, nil
}

// TypeOf returns the type of key that Generate makes for a set, or "" for an
// unknown set.
func (a *Admin) TypeOf(set string) hsm.KeyType {
	for _, s := range a.sets {
		if s.Name == set {
			return s.Type
		}
	}
	return ""
}

// coming returns the oldest version that has not begun to sign.
func (p Plan) coming() (Key, bool) {
	for _, v := range p.Versions {
		if v.State == keyset.Waiting || v.State == keyset.Published {
			return Key{PlannedVersion: v}, true
		}
	}
	return Key{}, false
}

func (p Plan) versions() []keyset.Version {
	all := make([]keyset.Version, 0, len(p.Versions))
	for _, v := range p.Versions {
		all = append(all, v.KeyVersion)
	}
	return all
}

// Outlook says what happens to a version next, and when.
func (k Key) Outlook(now time.Time) string {
	switch {
	case k.State == keyset.Retired:
		return "can be pruned"
	case k.State == keyset.Revoked:
		return "can be destroyed"
	case k.Next == "" && k.State == keyset.Signing:
		return "signs until the next version"
	case k.Next == "":
		return "stays until revoked"
	case k.Uncertified && k.NextAt.IsZero():
		return string(k.Next) + " once it has a certificate"
	case k.NextAt.IsZero():
		return string(k.Next) + " once its kid is in rotation.activate"
	}
	return fmt.Sprintf("%s in %s, %s", k.Next, Span(k.NextAt.Sub(now)), k.NextAt.UTC().Format("2006-01-02 15:04Z"))
}

// Span formats a duration in its two largest units.
func Span(d time.Duration) string {
	const day = 24 * time.Hour
	switch d = d.Abs(); {
	case d >= 10*day:
		return fmt.Sprintf("%dd", d/day)
	case d >= day:
		return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}
