package keyadmin

import (
	"errors"
	"fmt"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/keyset"
)

// ErrComing is a version that was made already and is yet to sign.
var ErrComing = errors.New("the next version is there already")

// Generate makes the next version of a key set and gives it with its state. The
// token makes it with every attribute set, has them read back, and signs with it
// before anybody gets to see it (hsm.Token.Generate).
//
// It refuses a set of which something is wrong (ErrUnsound), since one more key
// would not put that right, and one whose next version waits already
// (ErrComing), unless another is asked for.
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
		return Key{}, fmt.Errorf("%w: %s, %s; ask for --another to make one more", ErrComing, coming.Kid, coming.Outlook(inv.At))
	}
	label := keyset.Label(set, keyset.NextCreated(plan.versions(), plan.Set.Rotation.PublishBefore, a.now()))
	if _, err := a.token.Generate(hsm.Spec{Label: label, Type: plan.Set.Type, Alg: plan.Set.Alg}); err != nil {
		return Key{}, err
	}
	if inv, err = a.Inventory(); err != nil {
		return Key{}, fmt.Errorf("key %q was generated, and then: %w", label, err)
	}
	return inv.Find(label)
}

// TypeOf is the type of key that Generate makes for a set; empty for a set that
// is not known.
func (a *Admin) TypeOf(set string) hsm.KeyType {
	for _, s := range a.sets {
		if s.Name == set {
			return s.Type
		}
	}
	return ""
}

// coming is the oldest version that is yet to sign.
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

// Outlook says in words what happens to a version next and when.
func (k Key) Outlook(now time.Time) string {
	switch {
	case k.State == keyset.Retired:
		return "can be pruned"
	case k.State == keyset.Revoked:
		return "can be destroyed"
	case k.Next == "" && k.State == keyset.Signing:
		return "signs until the next version"
	case k.Next == "":
		return "stays until it is revoked"
	case k.NextAt.IsZero():
		return string(k.Next) + " once it is under activate"
	}
	return fmt.Sprintf("%s in %s, %s", k.Next, Span(k.NextAt.Sub(now)), k.NextAt.UTC().Format("2006-01-02 15:04Z"))
}

// Span writes a time span in its two largest units, as people say it.
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
