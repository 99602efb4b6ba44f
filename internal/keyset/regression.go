package keyset

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrRegression is the kind of every Regression.
var ErrRegression = errors.New("the reload would break a key set")

// Regression is what a new configuration would do to a key set that receivers
// would notice: no version signs, or one that they may not know.
type Regression struct {
	Set     string
	Signing string // kid of the version that signs now
	Kid     string // of the version that would sign instead, or soon; "" for none
	State   State  // of Kid now
	Reason  string // why no version would sign, if none would, with the remedy
	Manual  bool   // the new configuration has publish_before: manual
	// Safe is from when on the same configuration does no harm, if nothing else
	// changes. It is zero if waiting doesn't help.
	Safe time.Time
}

// Is makes a Regression an ErrRegression.
func (r *Regression) Is(target error) bool { return target == ErrRegression }

// Error says what would happen, and what to do instead.
func (r *Regression) Error() string {
	return fmt.Sprintf("key set %q: %s; %s", r.Set, r.harm(), r.remedy())
}

func (r *Regression) harm() string {
	switch {
	case r.Kid == "":
		return fmt.Sprintf("version %s signs now, and after this reload no version would", r.Signing)
	case r.State == Revoked:
		return fmt.Sprintf("version %s is revoked and would sign again, but receivers may no longer have it", r.Kid)
	case r.State == Retired:
		return fmt.Sprintf("version %s is retired and would sign again in place of %s, but receivers no longer have it", r.Kid, r.Signing)
	}
	return fmt.Sprintf("version %s has been replaced and would sign again in place of %s", r.Kid, r.Signing)
}

func (r *Regression) remedy() string {
	switch {
	case r.Kid != "" && r.State == Revoked:
		return "keep it under rotation.revoke and generate a new version with `assertd key generate`"
	case !r.Safe.IsZero():
		return "this configuration is safe from " + stamp(r.Safe) + " on"
	case r.Manual:
		return fmt.Sprintf("list %s under rotation.activate", r.Signing)
	case r.Kid == "":
		return r.Reason
	}
	return fmt.Sprintf("keep the present settings, or give %s what the new ones require, such as a certificate", r.Signing)
}

// change is a new rotation for the versions of a key set.
type change struct {
	was, is           Rotation
	versions          []Version // with the former settings
	versionsAfterward []Version // the new ones may adopt others
	refused           bool      // the new settings contradict each other or the keys
}

// regression compares the schedules before and after a change at a moment. It
// returns nil if the change does no harm:
//
//   - A version may sign earlier than planned, which a shorter publish_before
//     or rotation.activate asks for.
//   - A version that has been replaced may sign again if it is still published
//     and rotation.activate lists it, or if its successor is revoked.
//   - Revoking the version that signs may leave none. A retired one must not
//     step in; see Ring.follow.
//
// A key set that doesn't sign now can't get worse.
func (c change) regression(now time.Time) *Regression {
	was, is := c.plans(now)
	if was.Signing == "" {
		return nil
	}
	found := &Regression{Signing: was.Signing, Kid: is.Signing, State: stateOf(was, is.Signing), Manual: c.is.Manual}
	revoked := stateOf(is, was.Signing) == Revoked
	allowed := revoked || slices.Contains(c.is.Activate, is.Signing)
	switch {
	case found.State == Retired, found.State == Revoked, found.State == Retiring && !allowed, is.Signing == "" && !revoked:
		return found
	}
	return c.restored(was, is, now)
}

// plans are the schedules before and after the change. If it revokes the
// version that signs, those that left the JWKS are held back.
func (c change) plans(now time.Time) (was, is Plan) {
	was, is = Schedule(c.versions, c.was, now), Schedule(c.versionsAfterward, c.is, now)
	if stateOf(is, was.Signing) == Revoked {
		c.is.Past.Dropped = dropped(c.versionsAfterward, c.is, retired(was), now)
		is = Schedule(c.versionsAfterward, c.is, now)
	}
	if c.refused {
		is.Signing = ""
	}
	return was, is
}

// restored returns the first version that is no longer revoked and would sign
// before it has been published again for publish_before.
func (c change) restored(was, is Plan, now time.Time) *Regression {
	for _, v := range is.Versions {
		soon := !v.NextAt.IsZero() && v.NextAt.Before(now.Add(c.is.PublishBefore))
		if stateOf(was, v.Kid) == Revoked && v.Next == Signing && soon {
			return &Regression{Signing: was.Signing, Kid: v.Kid, State: Revoked}
		}
	}
	return nil
}

// stateOf is the state of a version in a plan, "" if it has no such version.
func stateOf(p Plan, kid string) State {
	for _, v := range p.Versions {
		if v.Kid == kid {
			return v.State
		}
	}
	return ""
}

// safe is the first moment after now at which the change does no harm, zero if
// there is none. States only change at the moments that the plans foretell.
func (c change) safe(now time.Time) time.Time {
	for {
		was, is := c.plans(now)
		if now = earlier(was.NextChange, is.NextChange); now.IsZero() {
			return time.Time{}
		}
		if c.regression(now) == nil {
			return now
		}
	}
}

// Regressions compares a ring with the one that a new configuration makes of
// the same keys, at this moment. used are the key sets that matter under the
// new configuration. Key sets that come or go are no regression. The errors are
// Regressions.
func Regressions(was, is *Ring, used []string) error {
	var problems []error
	now := is.now()
	for _, set := range was.Sets() {
		before, after := was.sets[set.Name], is.sets[set.Name]
		if after == nil || before.invalid != nil || !slices.Contains(used, set.Name) {
			continue
		}
		c := change{
			was: before.set.Rotation, is: after.set.Rotation, versions: before.versions, versionsAfterward: after.versions,
			refused: after.invalid != nil,
		}
		c.is.Past = c.was.Past
		if found := c.regression(now); found != nil {
			found.Set, found.Safe, found.Reason = set.Name, c.safe(now), after.schedule(now).Reason
			if before.set.adopted() != after.set.adopted() {
				found.Reason = "keep its present label and id"
			}
			problems = append(problems, found)
		}
	}
	return errors.Join(problems...)
}
