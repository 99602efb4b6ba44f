package keyset

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/jwks"
)

// Version is one key pair of a key set, as Schedule needs to know it.
type Version = ipc.KeyVersion

// State is what a version is at one moment.
type State = ipc.KeyState

// The states, in the order in which a version goes through them.
const (
	Waiting   = ipc.KeyWaiting
	Published = ipc.KeyPublished
	Signing   = ipc.KeySigning
	Retiring  = ipc.KeyRetiring
	Retired   = ipc.KeyRetired
	Revoked   = ipc.KeyRevoked
)

// Rotation says when versions follow each other. The zero value never asks for
// a next version, and lets a newer one sign as soon as it is there.
type Rotation struct {
	// Every is how long a version signs before the next takes over; 0 asks for
	// no next version.
	Every time.Duration
	// PublishBefore is how long a version is in the JWKS before it signs. It
	// must exceed what receivers cache, plus the largest difference between two
	// daemons' clocks, plus the time a daemon takes to notice a new key.
	PublishBefore time.Duration
	// KeepAfter is how long a version stays in the JWKS after its last
	// assertion has expired. It must exceed the largest difference between two
	// clocks.
	KeepAfter time.Duration
	// AssertionLife is the longest life of an assertion of this key set.
	AssertionLife time.Duration
	// Manual is for receivers where a person uploads keys: a version signs once
	// it is in Activate, and never by time.
	Manual bool
	// Activate holds kids that may sign now, without waiting for PublishBefore.
	Activate []string
	// Revoke holds kids that must neither sign nor be published.
	Revoke []string
	// NeedsCertificate says that a grant's profile refers to the certificate of
	// the key that signs.
	NeedsCertificate bool
	// Past is what a running daemon knows about the versions. It is empty
	// elsewhere.
	Past Past
}

// ErrRotation is a rotation that contradicts itself.
var ErrRotation = errors.New("unusable rotation")

// Check refuses negative durations, publish_before together with manual, and a
// kid that is both activated and revoked.
func (r Rotation) Check() error {
	for _, setting := range []struct {
		name  string
		value time.Duration
	}{{"every", r.Every}, {"publish_before", r.PublishBefore}, {"keep_after", r.KeepAfter}, {"assertion life", r.AssertionLife}} {
		if setting.value < 0 {
			return fmt.Errorf("%w: %s is %s; it cannot be negative", ErrRotation, setting.name, setting.value)
		}
	}
	if r.Manual && r.PublishBefore != 0 {
		return fmt.Errorf("%w: publish_before is both manual and %s; choose one", ErrRotation, r.PublishBefore)
	}
	for _, kid := range r.Activate {
		if slices.Contains(r.Revoke, kid) {
			return fmt.Errorf("%w: kid %q is under activate and under revoke; take it out of one", ErrRotation, kid)
		}
	}
	return nil
}

// Reasons why versions are indistinguishable.
var (
	ErrDuplicateLabel   = errors.New("label used twice")
	ErrDuplicateCreated = errors.New("two versions created at the same time")
)

// Conflicts returns, by index, why versions of one key set can't be told apart:
// a kid, a label or a creation time occurs twice (jwks.ErrDuplicateKid,
// ErrDuplicateLabel, ErrDuplicateCreated). Between them Schedule could only
// choose at random. It takes them all the same, and orders them by kid.
func Conflicts(versions []Version) map[int]error {
	problems := make(map[int]error)
	for _, identity := range identities {
		first := make(map[string]int)
		for i, v := range versions {
			value := identity.of(v)
			other, taken := first[value]
			switch {
			case value == "":
			case !taken:
				first[value] = i
			default:
				problem := identity.conflict(versions[other], v)
				for _, index := range []int{other, i} {
					problems[index] = cmp.Or(problems[index], problem)
				}
			}
		}
	}
	return problems
}

// identities are the properties that no two versions of a key set can share.
var identities = []struct {
	of       func(Version) string // empty where the version has none
	conflict func(a, b Version) error
}{
	{func(v Version) string { return v.Kid }, sameKid},
	{func(v Version) string { return v.Label }, sameLabel},
	{func(v Version) string { return strconv.FormatInt(v.Created.Unix(), 10) }, sameCreated},
}

func sameKid(a, _ Version) error { return fmt.Errorf("%w: %q", jwks.ErrDuplicateKid, a.Kid) }

func sameLabel(a, b Version) error {
	return fmt.Errorf("%w: %q; %s", ErrDuplicateLabel, a.Label, relabel(a, b))
}

func sameCreated(a, b Version) error {
	if a.Created.IsZero() {
		return fmt.Errorf("%w: %q and %q are both adopted without one; say in the configuration when they were made", ErrDuplicateCreated, a.Kid, b.Kid)
	}
	return fmt.Errorf("%w: %q and %q at %s; change created for an adopted key, or relabel one with the vendor's tool",
		ErrDuplicateCreated, a.Kid, b.Kid, stamp(a.Created))
}

// relabel says how to tell two keys with one label apart. An ID selects between
// adopted keys. It doesn't exclude a key whose label is one of the set's own.
func relabel(a, b Version) string {
	if a.Adopted && b.Adopted {
		return "add id to the key set to select one of the two"
	}
	return "give one of the two another label with the vendor's tool"
}

// NextCreated is the creation time to give a version that is made now: now, to
// the second, but after every version that is there already, so that labels
// stay unique and in order where another daemon's clock is a little ahead.
// Versions further than publishBefore, and a minute, in the future were
// prepared on purpose, and the new one goes before them.
func NextCreated(versions []Version, publishBefore time.Duration, now time.Time) time.Time {
	created, prepared := now.UTC().Truncate(time.Second), now.Add(max(publishBefore, time.Minute))
	for _, v := range byCreation(versions) {
		if !v.Created.Before(created) && !v.Created.After(prepared) {
			created = v.Created.UTC().Truncate(time.Second).Add(time.Second)
		}
	}
	return created
}
