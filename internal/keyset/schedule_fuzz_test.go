package keyset

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"
)

// rank is T4's order; a version may be revoked from any state.
var rank = map[State]int{Waiting: 0, Published: 1, Signing: 2, Retiring: 3, Retired: 4, Revoked: 5}

// FuzzSchedule takes any versions and any rotation, and holds a plan to what
// must be true of it alone (T3), to what time may do to it (T4), and to its own
// predictions.
func FuzzSchedule(f *testing.F) {
	f.Add([]byte{0, 10, 20}, int64(90), int64(1), int64(1), int64(5), int64(3), false, byte(0), byte(0))
	f.Add([]byte{0, 0, 0, 5, 255}, int64(10), int64(20), int64(0), int64(0), int64(-3), false, byte(2), byte(4))
	f.Add([]byte{9, 7, 3}, int64(0), int64(0), int64(7), int64(5), int64(100), true, byte(5), byte(2))
	f.Add([]byte{}, int64(1), int64(2), int64(3), int64(4), int64(5), true, byte(1), byte(1))
	f.Fuzz(func(t *testing.T, created []byte, every, before, keep, life, start int64, manual bool, activate, revoke byte) {
		if len(created) > 8 {
			return
		}
		r := Rotation{Every: days(every), PublishBefore: days(before), KeepAfter: days(keep), AssertionLife: days(life), Manual: manual}
		var versions []Version
		for i, c := range created {
			v := Version{Kid: fmt.Sprint(i), Created: day(float64(c))}
			if c == 0 {
				v = adopted(v.Kid)
			}
			if activate>>i&1 == 1 {
				r.Activate = append(r.Activate, v.Kid)
			}
			if revoke>>i&1 == 1 {
				r.Revoke = append(r.Revoke, v.Kid)
			}
			versions = append(versions, v)
		}
		now := day(float64(start % 300))
		plan := Schedule(versions, r, now)
		checkPlan(t, plan, len(versions), now)
		slices.Reverse(versions)
		if other := Schedule(versions, r, now); !reflect.DeepEqual(plan, other) {
			t.Fatalf("the order of the input shows:\n%+v\n%+v", plan, other)
		}
		for range 4 * len(versions) {
			if plan.NextChange.IsZero() {
				return
			}
			plan = checkNextChange(t, versions, r, plan)
		}
		if !plan.NextChange.IsZero() {
			t.Fatalf("more than four changes a version: %+v", plan)
		}
	})
}

// days is up to 100 days of any number.
func days(n int64) time.Duration { return time.Duration((n%100+100)%100) * aDay }

// checkPlan is T3, and that the plan is of one piece.
func checkPlan(t *testing.T, plan Plan, versions int, now time.Time) {
	t.Helper()
	var signing []Version
	for _, v := range plan.Versions {
		if v.State == Signing {
			signing = append(signing, v.KeyVersion)
		}
		if _, known := rank[v.State]; !known || v.Since.After(now) || !v.NextAt.IsZero() && !v.NextAt.After(now) {
			t.Fatalf("at %s: %+v", now, v)
		}
	}
	one := len(signing) == 1 && plan.Signing != "" && plan.Signing == signing[0].Kid && plan.Reason == ""
	noOne := len(signing) == 0 && plan.Signing == "" && plan.Reason != ""
	if len(plan.Versions) != versions || !one && !noOne {
		t.Fatalf("at %s: %d versions in, %+v", now, versions, plan)
	}
	if plan.Late != (!plan.DueAt.IsZero() && now.After(plan.DueAt)) || !plan.NextChange.IsZero() && !plan.NextChange.After(now) {
		t.Fatalf("at %s: %+v", now, plan)
	}
}

// checkNextChange goes to the next change: just before it nothing is different,
// then what was foretold comes true, and no version has gone back (T4).
func checkNextChange(t *testing.T, versions []Version, r Rotation, plan Plan) Plan {
	t.Helper()
	at := plan.NextChange
	if before := Schedule(versions, r, at.Add(-1)); states(before) != states(plan) {
		t.Fatalf("changed before %s:\n%s\n%s", at, states(plan), states(before))
	}
	after := Schedule(versions, r, at)
	checkPlan(t, after, len(versions), at)
	if states(after) == states(plan) {
		t.Fatalf("nothing changed at %s: %s", at, states(plan))
	}
	for i, was := range plan.Versions {
		is := after.Versions[i]
		if rank[is.State] < rank[was.State] {
			t.Fatalf("%s went back from %s to %s", was.Kid, was.State, is.State)
		}
		// Two that were created together take their turns in the same moment.
		if was.NextAt.Equal(at) && rank[is.State] < rank[was.Next] {
			t.Fatalf("%s is %s at %s, foretold was %s", was.Kid, is.State, at, was.Next)
		}
		if is.State != was.State && !was.NextAt.Equal(at) {
			t.Fatalf("%s became %s at %s, foretold was %s at %s", was.Kid, is.State, at, was.Next, was.NextAt)
		}
	}
	return after
}

// FuzzRotation lives through a history: versions are made (in time, late, ahead
// of time, by either of two daemons with clocks apart) and retired ones are
// destroyed, while both daemons sign and publish. It checks T1, T2, T4, T5 and
// T6 at every moment at which anything changes for either of them.
func FuzzRotation(f *testing.F) {
	f.Add([]byte{0, 0, 2, 90, 0, 1, 2, 30, 3, 0, 1, 90, 3, 9}, byte(90), byte(24), byte(24), byte(1), byte(0))
	f.Add([]byte{0, 0, 0, 0, 1, 0, 2, 200, 4, 40, 0, 50, 3, 255, 1, 1, 3, 3}, byte(10), byte(48), byte(5), byte(60), byte(4))
	f.Add([]byte{4, 200, 0, 1, 1, 0, 0, 0, 1, 255, 3, 0, 0, 3}, byte(0), byte(0), byte(0), byte(0), byte(0))
	f.Add([]byte{1, 0, 0, 0, 1, 0, 0, 0, 3, 90, 3, 90}, byte(1), byte(200), byte(200), byte(1), byte(255))
	f.Fuzz(func(t *testing.T, events []byte, every, before, keep, life, skew byte) {
		w := newWorld(t, every, before, keep, life, skew)
		for len(events) >= 2 && len(events) <= 64 {
			w.live(time.Duration(events[1]) * hour)
			switch events[0] % 5 {
			case 0, 1:
				w.create(w.clocks[events[0]%5], 0)
			case 2:
				w.live(20 * aDay)
			case 3:
				w.prune()
			case 4:
				w.create(0, time.Duration(events[1])*aDay)
			}
			events = events[2:]
		}
		w.live(100 * aDay)
	})
}

// world is one token and two daemons.
type world struct {
	t        *testing.T
	rotation Rotation
	skew     time.Duration
	clocks   [2]time.Duration // how far each daemon's clock is ahead
	now      time.Time        // true time
	versions []Version
	made     int
	seen     map[string]time.Time // when a version came onto the token
	first    map[string]bool      // it signed as the first of all
	signed   map[string]time.Time // until when a version has signed, for either
	was      [2]map[string]State
}

func newWorld(t *testing.T, every, before, keep, life, skew byte) *world {
	r := Rotation{
		Every: time.Duration(every) * aDay, PublishBefore: time.Duration(before) * hour,
		KeepAfter: time.Duration(keep) * hour, AssertionLife: time.Duration(life) * time.Minute,
	}
	// What the theorems ask for: clocks closer than publish_before and keep_after.
	apart := min(time.Duration(skew)*time.Minute, r.PublishBefore-2*time.Second, r.KeepAfter)
	if apart < 0 {
		apart = 0
	}
	return &world{
		t: t, rotation: r, skew: apart, clocks: [2]time.Duration{0, apart}, now: day(0),
		seen: map[string]time.Time{}, first: map[string]bool{}, signed: map[string]time.Time{},
		was: [2]map[string]State{{}, {}},
	}
}

// create makes a version by a clock, so many days ahead of time.
func (w *world) create(clock, ahead time.Duration) {
	w.made++
	kid := fmt.Sprint("v", w.made)
	created := NextCreated(w.versions, w.rotation.PublishBefore, w.now.Add(clock).Add(ahead))
	w.versions = append(w.versions, Version{Kid: kid, Created: created})
	w.seen[kid] = w.now
}

// prune destroys what either daemon holds to be retired (T5).
func (w *world) prune() {
	for _, clock := range w.clocks {
		before := Schedule(w.versions, w.rotation, w.now.Add(clock))
		w.checkLives(before)
		w.versions = slices.DeleteFunc(w.versions, func(v Version) bool {
			return slices.ContainsFunc(before.Versions, func(p PlannedVersion) bool { return p.Kid == v.Kid && p.State == Retired })
		})
		rest := slices.DeleteFunc(slices.Clone(before.Versions), func(p PlannedVersion) bool { return p.State == Retired })
		after := Schedule(w.versions, w.rotation, w.now.Add(clock))
		if states(after) != states(Plan{Versions: rest}) || !after.DueAt.Equal(before.DueAt) || !after.NextChange.Equal(before.NextChange) {
			w.t.Fatalf("destroying retired versions changed the others:\n%s\n%s", states(before), states(after))
		}
	}
}

// live lets time pass, and stops at each change for either daemon.
func (w *world) live(length time.Duration) {
	end := w.now.Add(length)
	for {
		next := end
		for daemon, clock := range w.clocks {
			plan := Schedule(w.versions, w.rotation, w.now.Add(clock))
			w.check(daemon, plan)
			if change := plan.NextChange.Add(-clock); !plan.NextChange.IsZero() && change.Before(next) {
				next = change
			}
		}
		for _, clock := range w.clocks {
			if plan := Schedule(w.versions, w.rotation, w.now.Add(clock)); plan.Signing != "" {
				w.signed[plan.Signing] = next
			}
		}
		w.now = next
		if !next.Before(end) {
			return
		}
	}
}

func (w *world) check(daemon int, plan Plan) {
	now := w.now.Add(w.clocks[daemon])
	checkPlan(w.t, plan, len(w.versions), now)
	for i, v := range plan.Versions {
		if rank[v.State] < rank[w.was[daemon][v.Kid]] {
			w.t.Fatalf("T4: %s went back from %s to %s", v.Kid, w.was[daemon][v.Kid], v.State)
		}
		w.was[daemon][v.Kid] = v.State
		if _, hasSigned := w.signed[v.Kid]; v.State == Signing && !hasSigned && i == 0 {
			w.first[v.Kid] = true
		}
		if published := w.now.Sub(w.seen[v.Kid]); v.State == Signing && !w.first[v.Kid] && published < w.rotation.PublishBefore-w.skew-w.tolerance() {
			w.t.Fatalf("T1: %s signs %s after it came", v.Kid, published)
		}
	}
	w.checkLives(plan)
}

// checkLives is T2 and T6: what either daemon has signed with is published
// while an assertion of it may live, and keep_after more.
func (w *world) checkLives(plan Plan) {
	for _, v := range plan.Versions {
		until, hasSigned := w.signed[v.Kid]
		lives := until.Add(w.rotation.AssertionLife + w.rotation.KeepAfter - w.skew)
		if hasSigned && w.now.Before(lives) && !v.State.InJWKS() {
			w.t.Fatalf("T2, T6: %s is %s at %s, but has signed until %s", v.Kid, v.State, w.now, until)
		}
	}
}

// tolerance is what labels lose: they are cut to the second.
func (w *world) tolerance() time.Duration { return time.Second }
