package keyset

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// entry is one key set with its versions on the HSM.
type entry struct {
	set      Set
	versions []Version
	keys     map[string]Key // by kid
	refused  []error        // pairs that are left out, each with its reason
	invalid  error          // why the whole set is refused, whatever its pairs
	unread   []string       // tokens that may hold versions nobody has seen

	nextRefused error // why the newest pair is left out, if it is
	plan        atomic.Pointer[plan]
}

func newEntry(set Set, found []Finding, unread []string) *entry {
	e := &entry{set: set, keys: make(map[string]Key), unread: unread, nextRefused: newestRefused(found)}
	for _, f := range found {
		if f.Err != nil && !f.Revoked {
			e.refused = append(e.refused, f.Err)
		}
		if f.Scheduled() {
			e.versions = append(e.versions, f.Version)
			e.keys[f.Version.Kid] = f.Key
		}
	}
	e.versions = byCreation(e.versions)
	if err := set.Rotation.Check(); err != nil {
		e.invalid = fmt.Errorf("%w: key set %q: %w", ErrKey, set.Name, err)
	} else {
		e.invalid = e.checkFile()
	}
	return e
}

// refuseUnproved refuses pairs that do not sign.
func refuseUnproved(set string, found []Finding, unproved map[Proof]string) {
	for i, f := range found {
		if reason, failed := unproved[f.Key.Proof()]; failed && f.Err == nil {
			found[i].Err = fmt.Errorf("%w: %q of key set %q: %s", ErrKey, f.Label, set, reason)
		}
	}
}

// refuseShared refuses pairs that serve two sets, in both: a raw signature made
// for one could forge an assertion of the other. The findings are those of one
// set each.
func refuseShared(sets [][]Finding) {
	owners := make(map[[32]byte]string)
	shared := make(map[[32]byte]string) // a second owner
	for _, found := range sets {
		for _, f := range found {
			owner, taken := owners[f.Key.Ref]
			if taken && owner != f.Set {
				shared[f.Key.Ref] = f.Set
			} else if f.Key.Kid != "" {
				owners[f.Key.Ref] = f.Set
			}
		}
	}
	for _, found := range sets {
		for i, f := range found {
			if other, both := shared[f.Key.Ref]; both && f.Err == nil {
				found[i].Err = fmt.Errorf("%w: key pair %s serves both %q and %q; give each key set its own pair",
					ErrKey, f.Key.Kid, owners[f.Key.Ref], other)
			}
		}
	}
}

// refuseConflicts refuses versions that can't be told apart. One that was in
// use before the other appeared stays: a key made by mistake must not stop its
// set.
func refuseConflicts(set string, found []Finding, former *entry) {
	versions, index := usable(found, nil)
	conflicts := Conflicts(versions)
	if len(conflicts) == 0 {
		return
	}
	known, knownIndex := usable(found, former.has)
	stillConflict := Conflicts(known)
	stays := make(map[int]bool)
	for i, at := range knownIndex {
		stays[at] = stillConflict[i] == nil
	}
	for i, err := range conflicts {
		if at := index[i]; !stays[at] {
			found[at].Err = fmt.Errorf("%w: key set %q: %w", ErrKey, set, err)
		}
	}
}

// has reports whether the set had the version, with another certificate or none
// if need be. The entry can be nil.
func (e *entry) has(v Version) bool {
	return e != nil && slices.ContainsFunc(e.versions, func(known Version) bool {
		known.CertifiedFrom = v.CertifiedFrom
		return known == v
	})
}

// usable lists the versions that may sign some day, with their places among the
// findings: all of them, or those that also meet a condition.
func usable(found []Finding, also func(Version) bool) (versions []Version, index []int) {
	for i, f := range found {
		if f.Err == nil && !f.Revoked && (also == nil || also(f.Version)) {
			versions, index = append(versions, f.Version), append(index, i)
		}
	}
	return versions, index
}

// schedule computes the plan of this moment. Its versions keep their states if
// the set is refused: receivers still need the published keys.
func (e *entry) schedule(now time.Time) Plan {
	p := Schedule(e.versions, e.set.Rotation, now)
	if e.invalid != nil {
		p.Signing = ""
	}
	if p.Signing == "" {
		p.Reason = e.absence(now).Reason
	}
	for _, err := range e.refused {
		p.Refused = append(p.Refused, err.Error())
	}
	p.Name, p.Auto = e.set.Name, e.set.Auto
	return p
}

// absence says why no version signs.
func (e *entry) absence(now time.Time) *NoKeyError {
	c := newCalendar(e.versions, e.set.Rotation, now)
	absent := c.absence(len(e.versions))
	switch {
	case e.invalid != nil:
		absent = NoKeyError{Reason: e.invalid.Error(), Public: "its configuration does not fit its keys"}
	case len(c.live) == 0 && len(e.unread) > 0:
		absent = NoKeyError{Reason: "the keys of token " + strings.Join(e.unread, ", ") + " have not been read", Unread: true}
	case len(c.live) == 0 && len(e.refused) > 0:
		reason := strings.ReplaceAll(errors.Join(e.refused...).Error(), "\n", "; ")
		absent = NoKeyError{Reason: reason, Public: "its keys are refused"}
	case len(e.versions) == 0 && e.set.adoptsOne():
		absent.Reason = fmt.Sprintf("no key pair on the token has %s; correct that in the configuration", e.set.adopted())
	}
	absent.Set = e.set.Name
	return &absent
}

// newestRefused returns why the newest pair of the set is refused, nil if it is
// not or if its age is unknown.
func newestRefused(found []Finding) error {
	var newest Finding
	for _, f := range found {
		if !f.Revoked && f.Version.Created.After(newest.Version.Created) {
			newest = f
		}
	}
	return newest.Err
}
