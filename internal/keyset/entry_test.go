package keyset_test

import (
	"crypto/elliptic"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/jwks"
	"github.com/assertd/assertd/test/softhsm"
)

// One set with a problem leaves the others as they are.
func TestASetIsJudgedByItself(t *testing.T) {
	good := pair(t, keyset.Label("other", noon), elliptic.P256())
	bad := pair(t, keyset.Label("payments", noon), elliptic.P256())
	bad.Problem = "it is extractable"
	sets := []keyset.Set{payments(), {Name: "other", Alg: "ES256"}}
	ring := keyset.New(sets, keyset.Holdings{Pairs: []keyset.Pair{good, bad}}, nil, at(noon))
	if key, err := ring.SigningKey("other"); err != nil || key.Ref != good.Ref {
		t.Errorf("other: %v", err)
	}
	_, err := ring.SigningKey("payments")
	var noKey *keyset.NoKeyError
	if !errors.As(err, &noKey) || !errors.Is(err, keyset.ErrNoKey) || !strings.Contains(noKey.Reason, "extractable") || strings.Contains(noKey.Public, "extractable") {
		t.Errorf("payments: %#v", err)
	}
	if keys, _ := ring.Published("other", "payments"); len(keys) != 1 {
		t.Errorf("%d keys published", len(keys))
	}
	if plan, _ := ring.Plan("payments"); len(plan.Refused) != 1 || plan.Reason == "" || plan.Signing != "" {
		t.Errorf("%+v", plan)
	}
}

// A pair that can't be used is left out; the set signs with another version.
func TestABadPairIsLeftOut(t *testing.T) {
	good := pair(t, keyset.Label("payments", noon), elliptic.P256())
	bad := pair(t, keyset.Label("payments", noon.Add(-time.Hour)), elliptic.P256())
	bad.Problem = "it is extractable"
	label := keyset.Label("payments", noon.Add(time.Hour))
	held := keyset.Holdings{
		Pairs: []keyset.Pair{
			good, bad, pair(t, "payments/backup", elliptic.P256()), pair(t, label, elliptic.P256()), pair(t, label, elliptic.P256()),
			pair(t, keyset.Label("payments", noon.Add(2*time.Hour)), elliptic.P256()),
		},
	}
	last := held.Pairs[5]
	held.Unproved = map[keyset.Proof]string{{Ref: last.Ref, Alg: "ES256"}: "it does not sign"}
	ring := keyset.New([]keyset.Set{payments()}, held, nil, at(noon.Add(90*24*time.Hour)))
	if key, err := ring.SigningKey("payments"); err != nil || key.Ref != good.Ref {
		t.Errorf("%v", err)
	}
	if problems := ring.Problems("payments"); len(problems) != 5 {
		t.Errorf("%d problems: %v", len(problems), problems)
	}
	if err := ring.NextRefused("payments"); err == nil || !strings.Contains(err.Error(), "it does not sign") {
		t.Errorf("the newest: %v", err)
	}
}

// What is wrong with a revoked version matters to nobody.
func TestARevokedVersionIsNotJudged(t *testing.T) {
	good := pair(t, keyset.Label("payments", noon), elliptic.P256())
	set := payments()
	var held keyset.Holdings
	for _, label := range []string{keyset.Label("payments", noon), keyset.Label("payments", noon.Add(time.Hour))} {
		bad := pair(t, label, elliptic.P256())
		bad.Problem = "it is extractable"
		kid, err := jwks.Thumbprint(bad.Public)
		if err != nil {
			t.Fatal(err)
		}
		set.Rotation.Revoke = append(set.Rotation.Revoke, kid)
		held.Pairs = append(held.Pairs, bad)
	}
	held.Pairs = append(held.Pairs, good)
	ring := keyset.New([]keyset.Set{set}, held, nil, at(noon))
	if key, err := ring.SigningKey("payments"); err != nil || key.Ref != good.Ref || len(ring.Problems("payments")) > 0 {
		t.Errorf("%v, problems %v", err, ring.Problems("payments"))
	}
	plan, _ := ring.Plan("payments")
	revoked := 0
	for _, v := range plan.Versions {
		if v.State == keyset.Revoked {
			revoked++
		}
	}
	if keys, _ := ring.Published("payments"); revoked != 2 || len(keys) != 1 || len(ring.Probes()) != 1 {
		t.Errorf("%d revoked, %d published, %d probes", revoked, len(keys), len(ring.Probes()))
	}
}

// A second pair under the label of a version in use does not stop the set. A
// start can't tell which of the two was in use.
func TestAVersionInUseStays(t *testing.T) {
	first := pair(t, keyset.Label("payments", noon), elliptic.P256())
	second := pair(t, keyset.Label("payments", noon), elliptic.P256())
	sets := []keyset.Set{payments()}
	former := keyset.New(sets, keyset.Holdings{Pairs: []keyset.Pair{first}}, nil, at(noon))
	both := keyset.Holdings{Pairs: []keyset.Pair{second, first}}
	ring := keyset.New(sets, both, former, at(noon))
	for range 2 {
		if key, err := ring.SigningKey("payments"); err != nil || key.Ref != first.Ref || len(ring.Problems("payments")) != 1 {
			t.Errorf("%v, problems %v", err, ring.Problems("payments"))
		}
		ring = keyset.New(sets, both, ring, at(noon))
	}
	if key, err := keyset.New(sets, both, nil, at(noon)).SigningKey("payments"); !errors.Is(err, keyset.ErrNoKey) {
		t.Errorf("at a start %q signs, %v", key.Kid, err)
	}
	raw := keyset.Set{Name: "tls", Alg: "ES256", Raw: true, Label: first.Label}
	ring = keyset.New(append(sets, raw), both, former, at(noon))
	if key, err := ring.SigningKey("payments"); !errors.Is(err, keyset.ErrNoKey) {
		t.Errorf("a pair that serves two sets: %q signs, %v", key.Kid, err)
	}
}

// Nobody is told to make a key that may be on a token that has not been read.
func TestAKeyMayBeOnAnUnreadToken(t *testing.T) {
	ring := keyset.New([]keyset.Set{payments()}, keyset.Holdings{Unread: []string{"far"}}, nil, at(noon))
	_, err := ring.SigningKey("payments")
	if !errors.Is(err, keyset.ErrUnread) || errors.Is(err, keyset.ErrNoKey) || !strings.Contains(err.Error(), "token far") || strings.Contains(err.Error(), "generate") {
		t.Errorf("%v", err)
	}
	if _, err := ring.Content(keyset.Documents{}); !errors.Is(err, keyset.ErrUnread) {
		t.Errorf("an empty JWKS: %v", err)
	}
}

// While the newest version is refused, another would not help.
func TestNoVersionIsMadeAfterARefusedOne(t *testing.T) {
	k := softhsm.New(t)
	b := newEnv(t, newPool(t, k), true)
	b.generate(0)
	b.says(0)
	if _, err := b.pool.Generate(t.Context(), hsm.Spec{Label: keyset.Label("payments", start.Add(80*day)), Type: hsm.P384}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Join(b.at(91*day), "\n")
	if !strings.Contains(lines, "WARN a key pair is not used") || !strings.Contains(lines, "ERROR the next version of a key set is overdue, and its newest key pair can't be used") || strings.Contains(lines, "key generate") {
		t.Errorf("it said\n%s", lines)
	}
	if n := len(b.pool.Inventory()); n != 2 {
		t.Errorf("%d pairs", n)
	}
}

// A published key that its set no longer uses has not vanished.
func TestAKeyThatIsOnTheTokenIsNotLost(t *testing.T) {
	k := softhsm.New(t)
	p := newPool(t, k)
	b := newEnv(t, p, true)
	if _, err := p.Generate(t.Context(), hsm.Spec{Label: "legacy", Type: hsm.P256}); err != nil {
		t.Fatal(err)
	}
	b.sets[0].Label = "legacy"
	b.says(0)
	b.sets[0].Label = ""
	b.says(time.Hour)
	if plan := b.Plans()[0]; len(plan.Lost) > 0 {
		t.Errorf("lost %q", plan.Lost)
	}
}

// A typo in the label or ID of an adopted key is no reason to make another key.
func TestAnAdoptedKeyThatIsNotThere(t *testing.T) {
	for want, set := range map[string]keyset.Set{
		`the label "legcay"`:                 {Label: "legcay"},
		"the id ff01":                        {ID: []byte{0xff, 1}},
		`the label "legacy" and the id ff01`: {Label: "legacy", ID: []byte{0xff, 1}},
	} {
		set.Name, set.Alg = "payments", "ES256"
		ring := keyset.New([]keyset.Set{set}, keyset.Holdings{Pairs: []keyset.Pair{pair(t, "legacy", elliptic.P256())}}, nil, time.Now)
		plan, _ := ring.Plan("payments")
		if plan.Reason != "no key pair on the token has "+want+"; correct that in the configuration" {
			t.Errorf("%s: %s", want, plan.Reason)
		}
	}
}
