package keyset

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/jwks"
)

// A reload must not make a version sign that receivers no longer have, nor
// leave none; what a person orders in so many words is allowed.
func TestRegression(t *testing.T) {
	a, b, c := made("a", 0), made("b", 90), made("c", 180)
	week := with(quarterly, func(r *Rotation) { r.PublishBefore = 7 * aDay })
	manual := Rotation{Manual: true, KeepAfter: aDay, AssertionLife: time.Minute}
	activate := func(r Rotation, kids ...string) Rotation {
		return with(r, func(r *Rotation) { r.Activate = kids })
	}
	revoke := func(r Rotation, kids ...string) Rotation {
		return with(r, func(r *Rotation) { r.Revoke = kids })
	}
	certificates := func(r Rotation) Rotation { return with(r, func(r *Rotation) { r.NeedsCertificate = true }) }
	both := []Version{a, b}
	for _, test := range []struct {
		name     string
		versions []Version
		was, is  Rotation
		on       float64
		want     string // part of the error; "" for none
		safe     float64
	}{
		{"nothing changes", both, quarterly, quarterly, 93, "", none},
		{"a retired one would sign", both, quarterly, week, 93, "version a is retired and would sign again in place of b", 97},
		{"a retiring one would sign", both, quarterly, week, 91.5, "version a has been replaced and would sign again in place of b", 97},
		{"it has signed for a week", both, quarterly, week, 97, "", none},
		{"nobody signs twice", []Version{a}, quarterly, week, 93, "", none},
		{"published earlier", both, week, quarterly, 93, "", none},
		{"published for longer, for the next one", []Version{a, b, c}, quarterly, week, 180.5, "", none},
		{"manual, none activated", both, quarterly, manual, 93, "version b signs now, and after this reload no version would; list b under rotation.activate", none},
		{"manual, activated", both, quarterly, activate(manual, "b"), 93, "", none},
		{"manual, the wrong one activated", both, quarterly, activate(manual, "a"), 93, "receivers no longer have it; list b under rotation.activate", none},
		{"manual, the published one activated", []Version{a, b, c}, quarterly, activate(manual, "c"), 180.5, "", none},
		{"back to one that is still published", both, activate(manual, "a", "b"), activate(manual, "a"), 93, "", none},
		{"back by omission", both, activate(manual, "a", "b"), manual, 93, "no version would; list b", none},
		{"back, with a longer publish_before", both, quarterly, activate(week, "a"), 91.5, "", none},
		{"the version that signs is revoked", both, quarterly, revoke(quarterly, "b"), 91.5, "", none},
		{"revoked, and a retired one is left", both, quarterly, revoke(quarterly, "b"), 93, "", none},
		{"revoked, and none is left", []Version{a}, quarterly, revoke(quarterly, "a"), 93, "", none},
		{"a successor is revoked", []Version{a, b, c}, quarterly, revoke(quarterly, "c"), 180.5, "", none},
		{"no longer revoked", both, revoke(quarterly, "b"), quarterly, 93, "version b is revoked and would sign again", none},
		{"no longer revoked, and would sign soon", both, revoke(quarterly, "b"), quarterly, 90.5, "version b is revoked and would sign again", none},
		{"no longer revoked, but long replaced", both, revoke(quarterly, "a"), quarterly, 93, "", none},
		{"no longer revoked, and not activated", both, revoke(activate(manual, "a"), "b"), activate(manual, "a"), 93, "", none},
		{"none signed before", []Version{b}, revoke(quarterly, "b"), quarterly, 93, "", none},
		{"no version at all", nil, quarterly, manual, 93, "", none},
		{"a certificate is needed from now on", []Version{certified(a, 0), b}, quarterly, certificates(quarterly), 91.5, "in place of b; keep the present settings, or give b what", none},
	} {
		t.Run(test.name, func(t *testing.T) {
			change := change{was: test.was, is: test.is, versions: test.versions, versionsAfterward: test.versions}
			found := change.regression(day(test.on))
			switch {
			case test.want == "" && found != nil:
				t.Errorf("refused: %v", found)
			case test.want == "":
			case found == nil:
				t.Error("not refused")
			default:
				found.Safe = change.safe(day(test.on))
				if !strings.Contains(found.Error(), test.want) || !found.Safe.Equal(moment(test.safe)) {
					t.Errorf("%v, safe %s; want %q, %s", found, found.Safe, test.want, moment(test.safe))
				}
				if !found.Safe.IsZero() && !strings.HasSuffix(found.Error(), "safe from "+stamp(found.Safe)+" on") {
					t.Errorf("it doesn't say when: %v", found)
				}
			}
		})
	}
}

// ringOf is a ring of one set, without keys.
func ringOf(now *float64, name string, r Rotation, versions ...Version) *Ring {
	e := &entry{set: Set{Name: name, Alg: "ES256", Rotation: r}, versions: versions}
	return &Ring{now: func() time.Time { return day(*now) }, sets: map[string]*entry{name: e}}
}

func TestRegressionsNameTheSet(t *testing.T) {
	now := 93.0
	versions := []Version{made("a", 0), made("b", 90)}
	was := ringOf(&now, "payments", quarterly, versions...)
	is := ringOf(&now, "payments", with(quarterly, func(r *Rotation) { r.PublishBefore = 7 * aDay }), versions...)
	err := Regressions(was, is, []string{"payments"})
	if found := (*Regression)(nil); !errors.As(err, &found) || !errors.Is(err, ErrRegression) || found.Set != "payments" || !found.Safe.Equal(day(97)) {
		t.Errorf("%+v", found)
	}
	refused := ringOf(&now, "payments", quarterly, versions...)
	refused.sets["payments"].invalid = ErrKey
	if err := Regressions(was, refused, []string{"payments"}); !errors.Is(err, ErrRegression) || !strings.HasSuffix(err.Error(), "no version would; "+ErrKey.Error()) {
		t.Errorf("settings that don't fit the keys: %v", err)
	}
	moved := ringOf(&now, "payments", quarterly)
	moved.sets["payments"].set.Label = "legacy"
	if err := Regressions(was, moved, []string{"payments"}); err == nil || !strings.HasSuffix(err.Error(), "no version would; keep its present label and id") {
		t.Errorf("another label: %v", err)
	}
	for name, accepted := range map[string]error{
		"refused before": Regressions(refused, is, []string{"payments"}),
		"without grants": Regressions(was, is, nil),
		"another set":    Regressions(was, ringOf(&now, "other", Rotation{Manual: true}, versions...), []string{"payments"}),
		"no change":      Regressions(was, was, []string{"payments"}),
	} {
		if accepted != nil {
			t.Errorf("%s: %v", name, accepted)
		}
	}
}

// A rotation from a few bytes.
func rotationOf(before, keep byte, manual bool, activate, revoke byte) Rotation {
	r := Rotation{PublishBefore: time.Duration(before%30) * aDay, KeepAfter: time.Duration(keep%30) * aDay, AssertionLife: hour, Manual: manual}
	for i := range 8 {
		if activate>>i&1 == 1 {
			r.Activate = append(r.Activate, fmt.Sprint(i))
		}
		if revoke>>i&1 == 1 {
			r.Revoke = append(r.Revoke, fmt.Sprint(i))
		}
	}
	return r
}

// FuzzRegression changes any rotation into any other. Once it is accepted, and
// a ring follows the former one, no version signs that had left the JWKS, a
// version that signs is replaced by none only if it is revoked, and it stays
// published as long as its assertions live. What is refused is safe when it
// says so, and not before.
func FuzzRegression(f *testing.F) {
	f.Add([]byte{0, 90}, 93.0, byte(1), byte(1), false, byte(0), byte(0), byte(7), byte(1), false, byte(0), byte(0))
	f.Add([]byte{0, 90, 180}, 180.5, byte(1), byte(1), false, byte(0), byte(0), byte(0), byte(1), true, byte(4), byte(2))
	f.Add([]byte{0, 90, 180}, 200.0, byte(1), byte(1), false, byte(0), byte(4), byte(1), byte(1), false, byte(0), byte(2))
	f.Fuzz(func(t *testing.T, created []byte, on float64, before, keep byte, manual bool, activate, revoke, before2, keep2 byte, manual2 bool, activate2, revoke2 byte) {
		if len(created) > 8 || !(on > 0 && on < 400) {
			return
		}
		c := change{was: rotationOf(before, keep, manual, activate, revoke), is: rotationOf(before2, keep2, manual2, activate2, revoke2)}
		for i, day := range created {
			c.versions = append(c.versions, made(fmt.Sprint(i), float64(day)))
		}
		c.versionsAfterward = c.versions
		if (change{was: c.was, is: c.was, versions: c.versions, versionsAfterward: c.versions}).regression(day(on)) != nil {
			t.Fatal("a regression without a change")
		}
		found := c.regression(day(on))
		if found == nil {
			checkAccepted(t, c, on)
			return
		}
		if safe := c.safe(day(on)); !safe.IsZero() && (!safe.After(day(on)) || c.regression(safe) != nil || c.regression(safe.Add(-1)) == nil) {
			t.Fatalf("%v: safe from %s", found, safe)
		}
	})
}

func checkAccepted(t *testing.T, c change, on float64) {
	was, is := ringOf(&on, "set", c.was, c.versions...), ringOf(&on, "set", c.is, c.versions...)
	is.follow(was)
	before, after := Schedule(c.versions, c.was, day(on)), Schedule(c.versions, is.sets["set"].set.Rotation, day(on))
	checkPlan(t, after, len(c.versions), day(on))
	now := stateOf(after, before.Signing)
	switch {
	case before.Signing == "":
	case !now.InJWKS() && now != Revoked:
		t.Fatalf("%s left the JWKS as %s:\n%s\n%s", before.Signing, now, states(before), states(after))
	case after.Signing == "" && now != Revoked:
		t.Fatalf("none signs:\n%s\n%s", states(before), states(after))
	case after.Signing != "" && !stateOf(before, after.Signing).InJWKS():
		t.Fatalf("%s signs:\n%s\n%s", after.Signing, states(before), states(after))
	}
}

// A retired version doesn't step in for one that is revoked or has vanished.
func TestRetiredVersionsAreHeldBack(t *testing.T) {
	now := 93.0
	a, b := made("a", 0), made("b", 90)
	first := ringOf(&now, "set", quarterly, a, b)
	revoked := with(quarterly, func(r *Rotation) { r.Revoke = []string{"b"} })
	for name, next := range map[string]*Ring{
		"revoked":  ringOf(&now, "set", revoked, a, b),
		"vanished": ringOf(&now, "set", quarterly, a),
	} {
		next.follow(first)
		plan, _ := next.Plan("set")
		if plan.Signing != "" || fmt.Sprint(heldBack(plan)) != "[a]" {
			t.Errorf("%s: %+v", name, plan)
		}
		again := ringOf(&now, "set", revoked, a, b, made("c", 92.9))
		again.follow(next)
		if plan, _ := again.Plan("set"); plan.Signing != "c" || fmt.Sprint(heldBack(plan)) != "[a]" {
			t.Errorf("%s, then another is made: %+v", name, plan)
		}
		back := ringOf(&now, "set", quarterly, a, b)
		back.follow(next)
		if plan, _ := back.Plan("set"); plan.Signing != "b" || heldBack(plan) != nil {
			t.Errorf("%s, then it is back: %+v", name, plan)
		}
	}
}

func keysOf(kids ...string) (keys []jwks.Key) {
	for _, kid := range kids {
		keys = append(keys, jwks.Key{Kid: kid})
	}
	return keys
}

// What an earlier run no longer published stays out, as far as labels don't
// say.
func TestLastPublishedIsTheWitness(t *testing.T) {
	now := 93.0
	a, b, c := made("a", 0), made("b", 90), made("c", 92)
	week := with(quarterly, func(r *Rotation) { r.PublishBefore = 7 * aDay })
	for name, test := range map[string]struct {
		published []string
		versions  []Version
		want      string
		held      string
	}{
		"no file":                  {nil, []Version{a, b}, "a signing, b published", "[]"},
		"one had left":             {[]string{"b"}, []Version{a, b}, "a retired, b signing", "[a]"},
		"both were in":             {[]string{"a", "b"}, []Version{a, b}, "a signing, b published", "[]"},
		"of other sets":            {[]string{"x"}, []Version{a, b}, "a signing, b published", "[]"},
		"a new one since":          {[]string{"b"}, []Version{a, b, c}, "a retired, b signing, c published", "[a]"},
		"the first, made meantime": {[]string{"x"}, []Version{c}, "c signing", "[]"},
		"two had left":             {[]string{"c"}, []Version{a, b, c}, "a retired, b retired, c signing", "[a b]"},
	} {
		empty := Recall(keysOf(test.published...))
		ring := ringOf(&now, "set", week, test.versions...)
		ring.follow(empty)
		again := ringOf(&now, "set", week, test.versions...)
		again.follow(ring)
		for _, r := range []*Ring{ring, again} {
			if plan, _ := r.Plan("set"); states(plan) != test.want || fmt.Sprint(heldBack(plan)) != test.held {
				t.Errorf("%s: %s, held %v; want %s, %s", name, states(plan), heldBack(plan), test.want, test.held)
			}
		}
	}
	now = 97
	late := ringOf(&now, "set", week, a, b)
	late.follow(Recall(keysOf("b")))
	if plan, _ := late.Plan("set"); states(plan) != "a retiring, b signing" || heldBack(plan) != nil {
		t.Errorf("once the schedule agrees: %s, held %v", states(plan), heldBack(plan))
	}
}

// A version that had left the JWKS doesn't step in for one that is revoked,
// even if the daemon starts in between.
func TestRevocationOutlivesAStart(t *testing.T) {
	now := 93.0
	a, b := made("a", 0), made("b", 90)
	revoked := with(quarterly, func(r *Rotation) { r.Revoke = []string{"b"} })
	for name, test := range map[string]struct {
		published []jwks.Key
		raw       bool
		want      string
	}{
		"the file has no keys":      {[]jwks.Key{}, false, "a retired, b revoked"},
		"it has other sets' keys":   {keysOf("x"), false, "a retired, b revoked"},
		"revoked before its turn":   {keysOf("a"), false, "a signing, b revoked"},
		"nobody knows":              {nil, false, "a signing, b revoked"},
		"raw keys, never published": {keysOf("x"), true, "a signing, b revoked"},
	} {
		start := ringOf(&now, "set", revoked)
		start.follow(Recall(test.published)) // no token is read yet
		ring := ringOf(&now, "set", revoked, a, b)
		ring.sets["set"].set.Raw = test.raw
		ring.follow(start)
		if plan, _ := ring.Plan("set"); states(plan) != test.want {
			t.Errorf("%s: %s, want %s", name, states(plan), test.want)
		}
	}
	// A version of this run is never in that file.
	ring := ringOf(&now, "set", quarterly, a)
	ring.follow(Recall(keysOf("x")))
	next := ringOf(&now, "set", revoked, a, b)
	next.follow(ring)
	if plan, _ := next.Plan("set"); states(plan) != "a signing, b revoked" {
		t.Errorf("seen by this run: %s", states(plan))
	}
}

// A version that is replaced ahead of time stays published while its assertions
// live.
func TestReplacedVersionIsKept(t *testing.T) {
	now := 95.0
	a, b := made("a", 0), made("b", 90)
	week := with(quarterly, func(r *Rotation) { r.PublishBefore = 7 * aDay })
	was, is := ringOf(&now, "set", week, a, b), ringOf(&now, "set", quarterly, a, b)
	is.follow(was)
	for _, step := range []struct {
		on   float64
		want string
	}{{95, "a retiring, b signing"}, {96, "a retiring, b signing"}, {96.1, "a retired, b signing"}} {
		now = step.on
		next := ringOf(&now, "set", quarterly, a, b)
		next.follow(is)
		if plan, _ := next.Plan("set"); states(plan) != step.want {
			t.Errorf("day %v: %s, want %s", now, states(plan), step.want)
		}
		is = next
	}
}

// A shorter lifetime does not apply to what was signed before: neither the
// version that signed then nor one that was replaced already leaves the JWKS
// before its assertions have expired.
func TestShorterLifeKeepsWhatWasSigned(t *testing.T) {
	long := with(quarterly, func(r *Rotation) { r.AssertionLife = 10 * aDay })
	versions := []Version{made("a", 0), made("b", 90)} // b signs from day 91 on
	for name, test := range map[string]struct {
		changed float64
		leaves  float64 // a: life + keep_after from when it signed last
	}{
		"while it signs":    {90.5, 90.5 + 10 + 1},
		"once it retires":   {95, 91 + 10 + 1},
		"long before":       {70, 91 + 1 + 2./1440},
		"once it has left":  {103, 91 + 1 + 2./1440},
		"just before b's 1": {80.9, 91 + 1 + 2./1440}, // its last long ones expire on day 90.9
	} {
		now := 1.0
		ring := ringOf(&now, "set", long, versions...)
		ring.follow(&Ring{})
		step := func(on float64, r Rotation) {
			now = on
			next := ringOf(&now, "set", r, versions...)
			next.follow(ring)
			ring = next
		}
		stateOfA := func() State { plan, _ := ring.Plan("set"); return stateOf(plan, "a") }
		step(test.changed, quarterly)
		step(max(test.changed, test.leaves)-0.001, quarterly)
		if state := stateOfA(); test.changed < test.leaves && !state.InJWKS() {
			t.Errorf("%s: %s before day %v", name, state, test.leaves)
		}
		step(max(test.changed, test.leaves)+0.001, quarterly)
		if state := stateOfA(); state != Retired {
			t.Errorf("%s: %s after day %v", name, state, test.leaves)
		}
	}
}
