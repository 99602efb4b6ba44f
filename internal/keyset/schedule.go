package keyset

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/assertd/assertd/ipc"
)

// Plan is the schedule of a key set at one moment: the state of every version,
// and what comes next. The operator API shows it.
type Plan = ipc.KeySetStatus

// PlannedVersion is a version at the moment of the plan.
type PlannedVersion = ipc.VersionStatus

// published returns the versions that belong in the JWKS, oldest first.
func published(p Plan) []Version {
	var versions []Version
	for _, v := range p.Versions {
		if v.State.InJWKS() {
			versions = append(versions, v.KeyVersion)
		}
	}
	return versions
}

// Schedule computes the state of each version of a key set at a moment. It is a
// pure function: daemons that see the same token and configuration agree, and a
// restart loses nothing. It accepts any input and never panics; Rotation.Check
// and Conflicts say which inputs make sense.
//
// Let C be a version's creation time, and order the versions by C (then kid).
// The rules treat revoked versions as if they did not exist.
//
//	R1  The first version starts to sign at C: there is no older one to replace
//	    too early. Each later one starts at C + PublishBefore.
//	R2  Of the versions that have started, the newest signs.
//	R3  A version retires when the next one starts, never because of its age:
//	    without a successor it keeps signing, however late the successor is.
//	R4  A version leaves the JWKS AssertionLife + KeepAfter after it retired.
//	    Until then it is in the JWKS from the moment it is seen, even if its C
//	    is in the future: publishing early hurts nobody, publishing late does.
//	R5  A version in Activate has started, whatever the time. It retires older
//	    ones at once, but they leave as if it had started by R1, since the time
//	    of an activation is not recorded anywhere.
//	R6  With Manual, R5 is the only way to start, and retired versions stay in
//	    the JWKS until they are revoked or destroyed.
//	R7  The next version is due at C + Every of the newest one, so it takes over
//	    when the newest has signed for Every (the very first version signs
//	    PublishBefore longer). One created further than PublishBefore in the
//	    future, past that due time, is not a successor. Nothing is due after a
//	    version of unknown age. If every version is revoked, the next one is
//	    overdue. If there are no versions, nothing is due: someone must look
//	    before a vanished key is replaced.
//	R8  With NeedsCertificate, a version whose certificate is missing or not
//	    valid yet doesn't start while an older one has a certificate. Without
//	    such an older one it starts: nothing is gained by waiting.
//	R9  A version in Past.Dropped is retired. Like a revoked one, it does not
//	    exist for the other rules.
//
// The following holds as long as labels are right (a version is on the token
// from C on), PublishBefore exceeds the clock difference plus the time to
// notice a key, and KeepAfter exceeds the clock difference:
//
//	T1  Whenever a version signs, it has been in the JWKS for PublishBefore,
//	    unless it is the first or was activated by hand.
//	T2  After a version last signs, it stays in the JWKS for AssertionLife +
//	    KeepAfter: no receiver loses a key while an assertion signed with it is
//	    valid.
//	T3  One version signs, or none does and Reason says why.
//	T4  Over time, a version's state only moves forward.
//	T5  Destroying retired versions changes nothing for the others.
//	T6  At any moment, each of two daemons whose clocks differ publishes the
//	    version that the other signs with.
//
// Only a change of the inputs can bring a retired version back: it is the
// newest again if all later ones are revoked or gone from the token, or haven't
// started by the new settings. A daemon rules that out with Past (Ring.follow)
// and refuses such settings at a reload (Regressions).
func Schedule(versions []Version, r Rotation, now time.Time) Plan {
	c := newCalendar(versions, r, now)
	plan := Plan{Versions: c.plan(versions), Missing: c.missing(versions)}
	if c.signing >= 0 {
		plan.Signing = c.live[c.signing].Kid
	} else {
		plan.Reason = c.absence(len(versions)).Reason
	}
	for _, v := range plan.Versions {
		if v.NextAt.After(now) && (plan.NextChange.IsZero() || v.NextAt.Before(plan.NextChange)) {
			plan.NextChange = v.NextAt
		}
	}
	plan.DueAt = c.dueAt(plan.Versions)
	plan.Late = !plan.DueAt.IsZero() && now.After(plan.DueAt)
	return plan
}

// calendar holds the versions that are neither revoked nor dropped, by
// creation, at one moment.
type calendar struct {
	Rotation
	live     []Version
	waits    []bool      // of each live version, by R8
	signing  int         // index into live, -1 if none signs
	replaced []time.Time // of each live version that has been replaced
	now      time.Time
}

func newCalendar(versions []Version, r Rotation, now time.Time) calendar {
	c := calendar{Rotation: r, now: now, signing: -1}
	for _, v := range byCreation(versions) {
		if !c.revoked(v) && !c.Past.Dropped[v.Kid] {
			c.live = append(c.live, v)
		}
	}
	c.waits = c.waiting()
	for i := range c.live {
		if c.started(i) {
			c.signing = i
		}
	}
	c.replaced = c.firstStarts()
	return c
}

// byCreation returns the versions in order, themselves if they are: those of a
// ring are, and some key sets keep a thousand.
func byCreation(versions []Version) []Version {
	if slices.IsSortedFunc(versions, older) {
		return versions
	}
	ordered := slices.Clone(versions)
	slices.SortStableFunc(ordered, older)
	return ordered
}

func older(a, b Version) int {
	if c := a.Created.Compare(b.Created); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(a.Kid, b.Kid), cmp.Compare(a.Label, b.Label))
}

func (c calendar) revoked(v Version) bool   { return slices.Contains(c.Revoke, v.Kid) }
func (c calendar) activated(v Version) bool { return slices.Contains(c.Activate, v.Kid) }

// starts implements R1.
func (c calendar) starts(i int) time.Time {
	if i == 0 {
		return c.live[0].Created
	}
	return c.live[i].Created.Add(c.PublishBefore)
}

// started is the condition of R2, with R5, R6 and R8.
func (c calendar) started(i int) bool {
	return !c.held(i) && (c.activated(c.live[i]) || !c.Manual && !c.starts(i).After(c.now))
}

// leaves implements R4 for a version that has a successor.
func (c calendar) leaves(i int) time.Time {
	return later(c.replaced[i].Add(c.AssertionLife), c.Past.Expires[c.live[i].Kid]).Add(c.KeepAfter)
}

// firstStarts is, for each version before the one that signs, when the first of
// its successors started, by R1 and R8.
func (c calendar) firstStarts() []time.Time {
	at := make([]time.Time, max(c.signing, 0))
	for i := c.signing - 1; i >= 0; i-- {
		at[i] = c.tookOver(i + 1)
		if i+1 < c.signing && (c.held(i+1) || at[i+1].Before(at[i])) {
			at[i] = at[i+1]
		}
	}
	return at
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (c calendar) plan(versions []Version) []PlannedVersion {
	planned := make([]PlannedVersion, 0, len(versions))
	i := 0
	for _, v := range byCreation(versions) {
		switch {
		case c.revoked(v):
			planned = append(planned, PlannedVersion{KeyVersion: v, State: Revoked})
		case c.Past.Dropped[v.Kid]:
			planned = append(planned, PlannedVersion{KeyVersion: v, State: Retired, Held: true})
		default:
			planned = append(planned, c.planned(i))
			i++
		}
	}
	return planned
}

func (c calendar) planned(i int) PlannedVersion {
	p := PlannedVersion{KeyVersion: c.live[i], Uncertified: i >= c.signing && !c.certified(c.live[i])}
	switch {
	case i > c.signing:
		c.planComing(&p, i)
	case i == c.signing:
		p.State = Signing
		p.Since = c.past(c.starts(i))
		if at := c.nextStart(i); !at.IsZero() {
			p.Next, p.NextAt = Retiring, at
		}
	case c.Manual:
		p.State = Retiring
	case c.leaves(i).After(c.now):
		p.State, p.Since = Retiring, c.past(c.replaced[i])
		p.Next, p.NextAt = Retired, c.leaves(i)
	default:
		p.State, p.Since = Retired, c.leaves(i)
	}
	return p
}

// planComing fills in a version that has not signed yet.
func (c calendar) planComing(p *PlannedVersion, i int) {
	p.State, p.Since, p.Next, p.NextAt = Published, p.Created, Signing, c.begins(i)
	if at := c.nextStart(i); !at.IsZero() && (p.NextAt.IsZero() || at.Before(p.NextAt)) {
		p.Next, p.NextAt = Retiring, at
	}
	if p.Created.After(c.now) {
		p.State, p.Since = Waiting, time.Time{}
		if p.NextAt.IsZero() || p.NextAt.After(p.Created) {
			p.Next, p.NextAt = Published, p.Created
		}
	}
}

// begins is when a version that has not started will, or zero if that is up to
// a person.
func (c calendar) begins(i int) time.Time {
	switch from := c.live[i].CertifiedFrom; {
	case c.held(i) && from.IsZero(), c.Manual && !c.activated(c.live[i]):
		return time.Time{}
	case c.held(i) && c.activated(c.live[i]):
		return from
	}
	return c.tookOver(i)
}

// nextStart is when the first of the later versions that have not started will.
func (c calendar) nextStart(i int) (at time.Time) {
	for j := max(i, c.signing) + 1; j < len(c.live); j++ {
		at = earlier(at, c.begins(j))
	}
	return at
}

// past is t, or zero if t can't be when it happened: an activation leaves no
// time.
func (c calendar) past(t time.Time) time.Time {
	if c.Manual || t.After(c.now) {
		return time.Time{}
	}
	return t
}

// dueAt implements R7. It counts successors that exist or will in time.
func (c calendar) dueAt(all []PlannedVersion) time.Time {
	switch {
	case c.Every == 0 || len(all) == 0:
		return time.Time{}
	case len(c.live) == 0:
		return all[len(all)-1].Created
	}
	newest := 0
	for newest+1 < len(c.live) && c.succeeds(newest+1) {
		newest++
	}
	if c.live[newest].Created.IsZero() {
		return time.Time{}
	}
	return c.live[newest].Created.Add(c.Every)
}

// succeeds reports whether a version exists already, within the clock
// difference, or is created in time to follow the one before it.
func (c calendar) succeeds(i int) bool {
	before := c.live[i-1].Created
	there := !c.live[i].Created.After(c.now.Add(c.PublishBefore))
	inTime := !before.IsZero() && !c.live[i].Created.After(before.Add(c.Every))
	return there || inTime
}

func (c calendar) missing(versions []Version) []string {
	var missing []string
	for _, kid := range c.Activate {
		if !slices.ContainsFunc(versions, func(v Version) bool { return v.Kid == kid }) {
			missing = append(missing, kid)
		}
	}
	return missing
}

// absence says why no version signs, to operators and to callers.
func (c calendar) absence(all int) NoKeyError {
	switch {
	case all == 0:
		return NoKeyError{Reason: "the key set has no version on the token; make one with `assertd key generate`", Public: "it has no key"}
	case len(c.live) == 0 && len(c.Past.Dropped) > 0:
		return NoKeyError{
			Reason: "every version is revoked or no longer known to receivers; generate a new one with `assertd key generate`",
			Public: "receivers know none of its versions",
		}
	case len(c.live) == 0:
		return NoKeyError{
			Reason: "every version is listed under rotation.revoke; make a new one with `assertd key generate`",
			Public: "all its versions are revoked",
		}
	case c.Manual:
		return NoKeyError{
			Reason: fmt.Sprintf("no version is activated; wait until receivers have the key, then list its kid under rotation.activate (available: %s)", c.kids()),
			Public: "no version of it is activated",
		}
	}
	first := c.live[0]
	return NoKeyError{
		Reason: fmt.Sprintf("the oldest version, kid %s, was created at %s, which is %s ahead of this machine's clock; check the clock",
			first.Kid, stamp(first.Created), first.Created.Sub(c.now).Round(time.Second)),
		Public: "its first version is dated in the future",
	}
}

func (c calendar) kids() string {
	kids := make([]string, 0, len(c.live))
	for _, v := range c.live {
		kids = append(kids, v.Kid)
	}
	return strings.Join(kids, ", ")
}
