package keyset

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/jwks"
)

const hour, aDay = time.Hour, 24 * time.Hour

// quarterly is the rotation of the design's example.
var quarterly = Rotation{Every: 90 * aDay, PublishBefore: aDay, KeepAfter: aDay, AssertionLife: 2 * time.Minute}

// made is a version created on a day; its kid is its name.
func made(kid string, on float64) Version {
	return Version{Kid: kid, Label: Label("payments", day(on)), Created: day(on)}
}

func adopted(kid string) Version { return Version{Kid: kid, Label: "old-key", Adopted: true} }

// states is a plan as "a retiring, b signing".
func states(p Plan) string {
	var all []string
	for _, v := range p.Versions {
		all = append(all, v.Kid+" "+string(v.State))
	}
	return strings.Join(all, ", ")
}

func with(r Rotation, change func(*Rotation)) Rotation { change(&r); return r }

func TestSchedule(t *testing.T) {
	a, b, c := made("a", 0), made("b", 90), made("c", 180)
	late := made("late", 100)
	manual := Rotation{Manual: true, KeepAfter: aDay, AssertionLife: time.Minute, Every: 365 * aDay}
	life := 2.0 / 24 / 60
	activate := func(r Rotation, kids ...string) Rotation {
		return with(r, func(r *Rotation) { r.Activate = kids })
	}
	revoke := func(r Rotation, kids ...string) Rotation {
		return with(r, func(r *Rotation) { r.Revoke = kids })
	}
	for _, test := range []struct {
		name     string
		versions []Version
		rotation Rotation
		on       float64
		states   string
		reason   string // part of it
		next     float64
		due      float64
		late     bool
	}{
		{"no version", nil, quarterly, 0, "", "assertd key generate", none, none, false},
		{"the first signs at once", []Version{a}, quarterly, 0, "a signing", "", none, 90, false},
		{"the second is due", []Version{a}, quarterly, 90, "a signing", "", none, 90, false},
		{"the second is late, the first goes on", []Version{a}, quarterly, 1000, "a signing", "", none, 90, true},
		{"the second is published", []Version{a, b}, quarterly, 90.5, "a signing, b published", "", 91, 180, false},
		{"the second takes over", []Version{a, b}, quarterly, 91, "a retiring, b signing", "", 92 + life, 180, false},
		{"the first is kept", []Version{a, b}, quarterly, 92, "a retiring, b signing", "", 92 + life, 180, false},
		{"the first leaves", []Version{a, b}, quarterly, 92 + life, "a retired, b signing", "", none, 180, false},
		{"the first is destroyed", []Version{b}, quarterly, 92 + life, "b signing", "", none, 180, false},
		{"the third is late and there", []Version{a, b, made("late", 200)}, quarterly, 200.5, "a retired, b signing, late published", "", 201, 290, false},
		{"the third was late and signs", []Version{b, made("late", 200)}, quarterly, 201, "b retiring, late signing", "", 202 + life, 290, false},
		{"any order", []Version{c, a, b}, quarterly, 181, "a retired, b retiring, c signing", "", 182 + life, 270, false},
		{"a missing version in between", []Version{a, c}, quarterly, 181, "a retiring, c signing", "", 182 + life, 270, false},
		{"two made ahead", []Version{a, b, c}, quarterly, 1, "a signing, b waiting, c waiting", "", 90, 270, false},
		{"made ahead, with a gap before", []Version{a, c}, quarterly, 1, "a signing, c waiting", "", 180, 90, false},
		{"made ahead, gap due", []Version{a, c}, quarterly, 91, "a signing, c waiting", "", 180, 90, true},
		{"made far ahead by mistake", []Version{a, made("x", 10000)}, quarterly, 95, "a signing, x waiting", "", 10000, 90, true},
		{"made by a clock an hour ahead", []Version{a, made("x", 90+1.0/24)}, quarterly, 90, "a signing, x waiting", "", 90 + 1.0/24, 180 + 1.0/24, false},
		{"late, by a clock an hour ahead", []Version{a, made("x", 95+1.0/24)}, quarterly, 95, "a signing, x waiting", "", 95 + 1.0/24, 185 + 1.0/24, false},
		{"the first is in the future", []Version{a}, quarterly, -1, "a waiting", "24h0m0s ahead of this machine's clock", 0, 90, false},
		{"a clock in 1970", []Version{a, b}, quarterly, -20000, "a waiting, b waiting", "check the clock", 0, 180, false},
		{"no schedule", []Version{a}, Rotation{}, 5000, "a signing", "", none, none, false},
		{"no schedule, a newer one", []Version{a, b}, Rotation{}, 90, "a retired, b signing", "", none, none, false},

		{"adopted", []Version{adopted("old")}, quarterly, 0, "old signing", "", none, none, false},
		{"adopted and one made", []Version{a, adopted("old")}, quarterly, 0.5, "old signing, a published", "", 1, 90, false},
		{"adopted and replaced", []Version{a, adopted("old")}, quarterly, 1.5, "old retiring, a signing", "", 2 + life, 90, false},
		{"adopted with an age", []Version{{Kid: "old", Created: day(0), Adopted: true}}, quarterly, 91, "old signing", "", none, 90, true},

		{"revoked alone", []Version{a}, revoke(quarterly, "a"), 1, "a revoked", "rotation.revoke", none, 0, true},
		{"revoked while it signs", []Version{a, b}, revoke(quarterly, "b"), 95, "a signing, b revoked", "", none, 90, true},
		{"revoked, the next is published", []Version{b, c}, revoke(quarterly, "b"), 180.5, "b revoked, c signing", "", none, 270, false},
		{"revoked before it signed", []Version{a, b}, revoke(quarterly, "b"), 90.5, "a signing, b revoked", "", none, 90, true},
		{"revoked and gone", []Version{a}, revoke(quarterly, "x"), 1, "a signing", "", none, 90, false},

		{"activated before its time", []Version{a, late}, activate(quarterly, "late"), 100.1, "a retiring, late signing", "", 102 + life, 190, false},
		{"activated, and its time has come", []Version{a, late}, activate(quarterly, "late"), 101, "a retiring, late signing", "", 102 + life, 190, false},
		{"an old one activated has no effect", []Version{a, b}, activate(quarterly, "a"), 91.5, "a retiring, b signing", "", 92 + life, 180, false},

		{"manual, none activated", []Version{a, b}, manual, 100, "a published, b published", "list its kid under rotation.activate (available: a, b)", none, 455, false},
		{"manual, one activated", []Version{a, b}, activate(manual, "a"), 100, "a signing, b published", "", none, 455, false},
		{"manual, both activated", []Version{a, b}, activate(manual, "a", "b"), 500, "a retiring, b signing", "", none, 455, true},
		{"manual, only the newer activated", []Version{a, b}, activate(manual, "b"), 100, "a retiring, b signing", "", none, 455, false},
		{"manual, activated one gone", []Version{b}, activate(manual, "a"), 100, "b published", "no version is activated", none, 455, false},
		{"manual, old one revoked", []Version{a, b}, revoke(activate(manual, "b"), "a"), 100, "a revoked, b signing", "", none, 455, false},
		{"manual, made ahead", []Version{a, c}, activate(manual, "a"), 100, "a signing, c waiting", "", 180, 545, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := Schedule(test.versions, test.rotation, day(test.on))
			if got := states(p); got != test.states {
				t.Errorf("states: %s, want %s", got, test.states)
			}
			if (p.Reason == "") != (test.reason == "") || !strings.Contains(p.Reason, test.reason) || (p.Signing == "") != (p.Reason != "") {
				t.Errorf("reason %q, want %q; signing %q", p.Reason, test.reason, p.Signing)
			}
			if want := moment(test.next); !p.NextChange.Equal(want) {
				t.Errorf("next change %s, want %s", p.NextChange, want)
			}
			if want := moment(test.due); !p.DueAt.Equal(want) || p.Late != test.late {
				t.Errorf("due %s, late %v; want %s, %v", p.DueAt, p.Late, want, test.late)
			}
		})
	}
}

const none = -1e6

// moment is a day, or no time at all.
func moment(on float64) time.Time {
	if on == none {
		return time.Time{}
	}
	return day(on)
}

func TestScheduleSaysWhatComesNext(t *testing.T) {
	p := Schedule([]Version{made("a", 0), made("b", 90), made("c", 180), made("d", 300)}, quarterly, day(180.5))
	for i, want := range []PlannedVersion{
		{State: Retired, Since: day(92).Add(2 * time.Minute)},
		{State: Signing, Since: day(91), Next: Retiring, NextAt: day(181)},
		{State: Published, Since: day(180), Next: Signing, NextAt: day(181)},
		{State: Waiting, Next: Published, NextAt: day(300)},
	} {
		want.KeyVersion = p.Versions[i].KeyVersion
		if got := p.Versions[i]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", got.Kid, got, want)
		}
	}
	if got := published(p); len(got) != 3 || got[0].Kid != "b" || p.Signing != "b" {
		t.Errorf("published: %v, signing %q", got, p.Signing)
	}
	early := with(quarterly, func(r *Rotation) { r.Activate = []string{"c", "gone"} })
	p = Schedule([]Version{made("b", 90), made("c", 180)}, early, day(180.5))
	if b, c := p.Versions[0], p.Versions[1]; b.State != Retiring || !b.Since.IsZero() || !b.NextAt.Equal(day(182).Add(2*time.Minute)) || !c.Since.IsZero() {
		t.Errorf("activated early: %+v %+v", b, c)
	}
	if !slices.Equal(p.Missing, []string{"gone"}) {
		t.Errorf("missing: %v", p.Missing)
	}
}

// Ten years of a daemon that makes each version when it is due and destroys
// what is retired: each signs for 90 days, each is published for a day before,
// and there are never more than two.
func TestScheduleOverYears(t *testing.T) {
	versions := []Version{made("v0", 0)}
	signedFrom := map[string]time.Time{}
	var order []string
	for now := day(0); now.Before(day(3650)); now = now.Add(hour) {
		p := Schedule(versions, quarterly, now)
		if p.Signing == "" || p.Late || len(published(p)) > 2 {
			t.Fatalf("%s: %s, late %v: %s", now, states(p), p.Late, p.Reason)
		}
		if _, known := signedFrom[p.Signing]; !known {
			signedFrom[p.Signing] = now
			order = append(order, p.Signing)
			if len(order) > 1 && now.Sub(signing(p).Created) != aDay {
				t.Fatalf("%s signs %s after its creation", p.Signing, now.Sub(signing(p).Created))
			}
		}
		if !now.Before(p.DueAt) {
			versions = append(versions, Version{Kid: fmt.Sprintf("v%d", len(order)), Created: NextCreated(versions, quarterly.PublishBefore, now)})
		}
		versions = slices.DeleteFunc(versions, func(v Version) bool {
			return slices.ContainsFunc(p.Versions, func(planned PlannedVersion) bool { return planned.Kid == v.Kid && planned.State == Retired })
		})
	}
	if len(order) != 41 || len(versions) > 2 {
		t.Errorf("%d versions signed, %d are left", len(order), len(versions))
	}
	for i := 2; i < len(order); i++ {
		if signed := signedFrom[order[i]].Sub(signedFrom[order[i-1]]); signed != 90*aDay {
			t.Errorf("%s signed for %s", order[i-1], signed)
		}
	}
}

// Two daemons, an hour apart, may make a version at the same due time; only one
// does if the second looks at the token first.
func TestScheduleOfTwoClocks(t *testing.T) {
	versions := []Version{made("a", 0)}
	fast, slow := day(90).Add(time.Minute), day(90).Add(time.Minute-hour)
	if p := Schedule(versions, quarterly, fast); !p.Late {
		t.Fatal("not due by the fast clock")
	}
	versions = append(versions, Version{Kid: "b", Created: NextCreated(versions, aDay, fast)})
	for now := slow; now.Before(day(92)); now = now.Add(10 * time.Minute) {
		behind, ahead := Schedule(versions, quarterly, now), Schedule(versions, quarterly, now.Add(hour))
		if behind.DueAt.Before(day(180)) || behind.Late {
			t.Fatalf("at %s the slow daemon would make another one", now)
		}
		for _, pair := range [][2]Plan{{behind, ahead}, {ahead, behind}} {
			if !slices.Contains(published(pair[0]), signing(pair[1])) {
				t.Fatalf("at %s one daemon signs with %s and the other does not publish it", now, pair[1].Signing)
			}
		}
	}
}

func TestNextCreated(t *testing.T) {
	versions := []Version{made("a", 0), made("b", 10), {Kid: "c", Created: day(10).Add(time.Second)}, made("ahead", 500)}
	for name, test := range map[string]struct{ now, want time.Time }{
		"after all":          {day(20).Add(time.Millisecond), day(20)},
		"the same second":    {day(10), day(10).Add(2 * time.Second)},
		"a clock behind":     {day(9.5), day(10).Add(2 * time.Second)},
		"a clock far behind": {day(5), day(5)},
		"before an old one":  {day(499.5), day(500).Add(time.Second)},
	} {
		if got := NextCreated(versions, aDay, test.now); !got.Equal(test.want) {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
	// Where nothing is published before it signs, labels have to differ as
	// well.
	var made []Version
	for range 5 {
		made = append(made, Version{Kid: fmt.Sprint(len(made)), Created: NextCreated(made, 0, day(1))})
	}
	if conflicts := Conflicts(made); len(conflicts) > 0 {
		t.Errorf("made in the same second: %v", conflicts)
	}
}

func TestRotationCheck(t *testing.T) {
	for name, r := range map[string]Rotation{
		"negative every":          {Every: -1},
		"negative publish_before": {PublishBefore: -1},
		"negative keep_after":     {KeepAfter: -1},
		"negative life":           {AssertionLife: -1},
		"manual with a time":      {Manual: true, PublishBefore: 1},
		"activated and revoked":   {Activate: []string{"a", "b"}, Revoke: []string{"b"}},
	} {
		if err := r.Check(); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	for _, r := range []Rotation{{}, quarterly, {Manual: true, Activate: []string{"a"}, Revoke: []string{"b"}}} {
		if err := r.Check(); err != nil {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

func TestConflicts(t *testing.T) {
	a := made("a", 0)
	for want, versions := range map[error][]Version{
		nil:                  {a, made("b", 1), adopted("old")},
		jwks.ErrDuplicateKid: {a, made("c", 2), made("a", 1)},
		ErrDuplicateLabel:    {a, made("c", 2), made("b", 0)},
		ErrDuplicateCreated:  {a, made("c", 2), {Kid: "b", Label: "elsewhere", Created: a.Created}},
	} {
		conflicts := Conflicts(versions)
		if want == nil && len(conflicts) > 0 || want != nil && (len(conflicts) != 2 || !errors.Is(conflicts[0], want) || !errors.Is(conflicts[2], want)) {
			t.Errorf("got %v, want %v for both and for no other", conflicts, want)
		}
	}
	sameLabel := []Version{{Kid: "x", Label: "old", Adopted: true}, {Kid: "y", Label: "old", Adopted: true}}
	for advice, versions := range map[string][]Version{
		"add id":         sameLabel,
		"another label":  {a, made("b", 0)},
		"change created": {a, {Kid: "b", Label: "elsewhere", Created: a.Created}},
	} {
		if err := Conflicts(versions)[0]; err == nil || !strings.Contains(err.Error(), advice) || strings.Contains(err.Error(), "destroy") {
			t.Errorf("got %v, want the advice %q", err, advice)
		}
	}
	unaged := []Version{{Kid: "x", Label: "one", Adopted: true}, {Kid: "y", Label: "two", Adopted: true}}
	if err := Conflicts(unaged)[0]; err == nil || !strings.Contains(err.Error(), "configuration") {
		t.Errorf("two without an age: %v", err)
	}
}

// day is so many days after the start of 2026.
func day(n float64) time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n * float64(24*time.Hour))).Round(time.Second)
}

// signing is the version that signs by a plan.
func signing(p Plan) Version {
	for _, v := range p.Versions {
		if v.State == Signing {
			return v.KeyVersion
		}
	}
	return Version{}
}
