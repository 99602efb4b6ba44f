package keyset

import (
	"fmt"
	"testing"
	"time"
)

// certified is the version with a certificate that is valid from a day on.
func certified(v Version, from float64) Version {
	v.CertifiedFrom = day(from)
	return v
}

func uncertified(p Plan) (kids []string) {
	for _, v := range p.Versions {
		if v.Uncertified {
			kids = append(kids, v.Kid)
		}
	}
	return kids
}

func heldBack(p Plan) (kids []string) {
	for _, v := range p.Versions {
		if v.Held {
			kids = append(kids, v.Kid)
		}
	}
	return kids
}

// A version that needs a certificate takes over once it has one.
func TestTakeoverWaitsForTheCertificate(t *testing.T) {
	r := with(quarterly, func(r *Rotation) { r.NeedsCertificate = true })
	manual := Rotation{Manual: true, NeedsCertificate: true, Activate: []string{"a", "b"}}
	a, b, c := certified(made("a", 0), 0), made("b", 90), made("c", 180)
	for _, test := range []struct {
		name        string
		versions    []Version
		rotation    Rotation
		on          float64
		states      string
		uncertified string
		next        float64
	}{
		{"from the moment it is made", []Version{a, b}, r, 90, "a signing, b published", "[b]", none},
		{"the older one keeps signing", []Version{a, b}, r, 120, "a signing, b published", "[b]", none},
		{"it has one", []Version{a, certified(b, 90)}, r, 90, "a signing, b published", "[]", 91},
		{"the certificate came late", []Version{a, certified(b, 119.5)}, r, 120, "a retiring, b signing", "[]", 120.5 + 2./24/60},
		{"the certificate is not valid yet", []Version{a, certified(b, 130)}, r, 120, "a signing, b published", "[b]", 130},
		{"it has become valid", []Version{a, certified(b, 130)}, r, 130, "a retiring, b signing", "[]", 131 + 2./24/60},
		{"two wait", []Version{a, b, c}, r, 200, "a signing, b published, c published", "[b c]", none},
		{"the later one is first", []Version{a, b, certified(c, 180)}, r, 180.5, "a signing, b published, c published", "[b]", 181},
		{"and takes over", []Version{a, b, certified(c, 180)}, r, 181, "a retiring, b retiring, c signing", "[]", 182 + 2./24/60},
		{"no profile needs one", []Version{a, b}, quarterly, 120, "a retired, b signing", "[]", none},
		{"none has one", []Version{made("a", 0), b}, r, 120, "a retired, b signing", "[b]", none},
		{"the only one", []Version{b}, r, 120, "b signing", "[b]", none},
		{"a revoked one never keeps signing", []Version{a, b}, with(r, func(r *Rotation) { r.Revoke = []string{"a"} }), 120, "a revoked, b signing", "[b]", none},
		{"activated too early", []Version{a, b}, with(r, func(r *Rotation) { r.Activate = []string{"b"} }), 90, "a signing, b published", "[b]", none},
		{"manual", []Version{a, b}, manual, 120, "a signing, b published", "[b]", none},
		{"manual, with a certificate", []Version{a, certified(b, 100)}, manual, 120, "a retiring, b signing", "[]", none},
		{"manual, an older one that was never activated", []Version{a, b}, with(manual, func(r *Rotation) { r.Activate = []string{"b"} }), 120, "a retiring, b signing", "[b]", none},
	} {
		t.Run(test.name, func(t *testing.T) {
			plan := Schedule(test.versions, test.rotation, day(test.on))
			checkPlan(t, plan, len(test.versions), day(test.on))
			if got := states(plan); got != test.states || fmt.Sprint(uncertified(plan)) != test.uncertified {
				t.Errorf("%s, uncertified %v; want %s, %s", got, uncertified(plan), test.states, test.uncertified)
			}
			if want := moment(test.next); !plan.NextChange.Equal(want) {
				t.Errorf("next change %s, want %s", plan.NextChange, want)
			}
		})
	}
}

// Time moves versions forward, and as foretold, whichever of them have
// certificates.
func FuzzCertificates(f *testing.F) {
	f.Add([]byte{10, 20, 60}, []byte{1, 0, 1}, int64(5), int64(3), false, byte(0), byte(0))
	f.Add([]byte{0, 10, 20, 20, 30}, []byte{0, 30, 40, 0, 90}, int64(0), int64(0), false, byte(0), byte(1))
	f.Add([]byte{10, 20, 30}, []byte{1, 0, 200}, int64(1), int64(0), true, byte(7), byte(0))
	f.Fuzz(func(t *testing.T, created, from []byte, before, start int64, manual bool, activate, revoke byte) {
		if len(created) > 8 || len(from) < len(created) {
			return
		}
		r := Rotation{
			Every: 90 * aDay, PublishBefore: days(before), KeepAfter: aDay, AssertionLife: hour,
			Manual: manual, NeedsCertificate: true,
		}
		var versions []Version
		for i, c := range created {
			v := made(fmt.Sprint(i), float64(c))
			if from[i] > 0 {
				v = certified(v, float64(from[i]))
			}
			if manual && activate>>i&1 == 1 {
				r.Activate = append(r.Activate, v.Kid)
			}
			if revoke>>i&1 == 1 {
				r.Revoke = append(r.Revoke, v.Kid)
			}
			versions = append(versions, v)
		}
		now := day(float64(start % 300))
		plan := Schedule(versions, r, now)
		for range 4 * len(versions) {
			checkPlan(t, plan, len(versions), now)
			if plan.NextChange.IsZero() {
				return
			}
			now = plan.NextChange
			plan = checkNextChange(t, versions, r, plan)
		}
		if !plan.NextChange.IsZero() {
			t.Fatalf("more than four changes a version: %+v", plan)
		}
	})
}

// A dropped version is out of the schedule, but is still listed.
func TestDroppedVersionsStayRetired(t *testing.T) {
	raised := with(quarterly, func(r *Rotation) { r.PublishBefore = 7 * aDay })
	versions := []Version{made("a", 0), made("b", 90)}
	if got := states(Schedule(versions, raised, day(93))); got != "a signing, b published" {
		t.Fatalf("without a past: %s", got)
	}
	raised.Past.Dropped = map[string]bool{"a": true, "gone": true}
	plan := Schedule(versions, raised, day(93))
	checkPlan(t, plan, 2, day(93))
	if states(plan) != "a retired, b signing" || fmt.Sprint(heldBack(plan)) != "[a]" {
		t.Errorf("%s, held %v", states(plan), heldBack(plan))
	}
	raised.Past.Dropped = map[string]bool{"a": true, "b": true}
	if plan := Schedule(versions, raised, day(93)); plan.Signing != "" || plan.Reason == "" || plan.Late != true {
		t.Errorf("%+v", plan)
	}
}

// A version that a change replaced stays published as long as its assertions
// may live.
func TestReplacedVersionsKeepTheirTime(t *testing.T) {
	r := with(quarterly, func(r *Rotation) { r.Past.Expires = map[string]time.Time{"a": day(100).Add(quarterly.AssertionLife)} })
	versions := []Version{made("a", 0), made("b", 90)}
	for on, want := range map[float64]string{
		100:                  "a retiring, b signing",
		101:                  "a retiring, b signing",
		101 + 3./24/60:       "a retired, b signing",
		90 + 1 + 1 + 3./1440: "a retiring, b signing",
	} {
		if got := states(Schedule(versions, r, day(on))); got != want {
			t.Errorf("day %v: %s, want %s", on, got, want)
		}
	}
}
