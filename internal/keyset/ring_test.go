package keyset_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/keyset"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// pair makes a key pair as the HSM would report it.
func pair(t *testing.T, label string, curve elliptic.Curve) keyset.Pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return pairOf(t, label, key.Public())
}

func pairOf(t *testing.T, label string, public crypto.PublicKey) keyset.Pair {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return keyset.Pair{Label: label, ID: []byte(label), Ref: sha256.Sum256(der), Public: public}
}

func at(moment time.Time) func() time.Time { return func() time.Time { return moment } }

func payments() keyset.Set {
	return keyset.Set{Name: "payments", Alg: "ES256", Rotation: keyset.Rotation{
		Every: 90 * 24 * time.Hour, PublishBefore: 24 * time.Hour, KeepAfter: 24 * time.Hour, AssertionLife: time.Minute,
	}}
}

func TestSigningKeyFollowsTheClock(t *testing.T) {
	first := pair(t, keyset.Label("payments", noon), elliptic.P256())
	second := pair(t, keyset.Label("payments", noon.Add(48*time.Hour)), elliptic.P256())
	now := noon.Add(49 * time.Hour)
	ring := keyset.New([]keyset.Set{payments()}, keyset.Holdings{Pairs: []keyset.Pair{first, second}}, nil, func() time.Time { return now })
	signs := func(want keyset.Pair, published int) {
		t.Helper()
		key, err := ring.SigningKey("payments")
		if err != nil {
			t.Fatal(err)
		}
		if key.Ref != want.Ref || key.Alg != "ES256" || key.Set != "payments" {
			t.Errorf("%v: another key signs", now)
		}
		if keys, _ := ring.Published("payments"); len(keys) != published {
			t.Errorf("%v: %d keys published, want %d", now, len(keys), published)
		}
	}
	signs(first, 2) // the second is published a day before it signs
	now = noon.Add(73 * time.Hour)
	signs(second, 2) // the first is kept for those who still hold its assertions
	now = noon.Add(98 * time.Hour)
	signs(second, 1)
	now = noon.Add(49 * time.Hour) // the clock goes back
	signs(first, 2)
}

func TestRefusals(t *testing.T) {
	label := keyset.Label("payments", noon)
	good := pair(t, label, elliptic.P256())
	extractable := pair(t, label, elliptic.P256())
	extractable.Problem = "it is extractable"
	imported := pair(t, label, elliptic.P256())
	imported.Imported = true
	_, edKey, _ := ed25519.GenerateKey(rand.Reader)
	raw := keyset.Set{Name: "tls", Alg: "ES256", Raw: true, Label: label}
	for _, test := range []struct {
		name  string
		sets  []keyset.Set
		pairs []keyset.Pair
		want  string
	}{
		{"extractable", []keyset.Set{payments()}, []keyset.Pair{extractable}, "extractable"},
		{"imported", []keyset.Set{payments()}, []keyset.Pair{imported}, "keys.payments.accept: imported"},
		{"wrong curve", []keyset.Set{payments()}, []keyset.Pair{pair(t, label, elliptic.P384())}, "can't sign ES256"},
		{"wrong kind", []keyset.Set{payments()}, []keyset.Pair{pairOf(t, label, edKey.Public())}, "can't sign ES256"},
		{"bad time", []keyset.Set{payments()}, []keyset.Pair{pair(t, "payments/yesterday", elliptic.P256())}, "yesterday"},
		{"one label twice", []keyset.Set{payments()}, []keyset.Pair{good, pair(t, label, elliptic.P256())}, label},
		{"one pair twice", []keyset.Set{payments()}, []keyset.Pair{good, good}, "twice"},
		{"both uses", []keyset.Set{payments(), raw}, []keyset.Pair{good}, "serves both"},
	} {
		t.Run(test.name, func(t *testing.T) {
			ring := keyset.New(test.sets, keyset.Holdings{Pairs: test.pairs}, nil, at(noon))
			err := errors.Join(ring.Problems("payments")...)
			if !errors.Is(err, keyset.ErrKey) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that says %q", err, test.want)
			}
			for _, set := range test.sets {
				if key, err := ring.SigningKey(set.Name); !errors.Is(err, keyset.ErrNoKey) {
					t.Errorf("%s signs with %q, %v", set.Name, key.Kid, err)
				}
			}
		})
	}
}

func TestAnImportedPairThatIsAccepted(t *testing.T) {
	imported := pair(t, keyset.Label("payments", noon), elliptic.P256())
	imported.Imported = true
	set := payments()
	set.AcceptImported = true
	ring := keyset.New([]keyset.Set{set}, keyset.Holdings{Pairs: []keyset.Pair{imported}}, nil, at(noon))
	if key, err := ring.SigningKey("payments"); err != nil || key.Ref != imported.Ref {
		t.Errorf("signs with %q, %v", key.Kid, err)
	}
}

func TestOthersKeysAreLeftAlone(t *testing.T) {
	strangers := []keyset.Pair{
		pair(t, "someone else's", elliptic.P256()),
		pair(t, "payments", elliptic.P256()),              // no version of ours without a time
		pair(t, "payments-eu/2026", elliptic.P256()),      // another set's
		{Label: "broken", Problem: "can't be read"},       // not ours to complain about
		pair(t, keyset.Label("x", noon), elliptic.P256()), // of a set that is not configured
	}
	ring := keyset.New([]keyset.Set{payments()}, keyset.Holdings{Pairs: strangers}, nil, at(noon))
	if missing := ring.Missing(); len(missing) != 1 || !errors.Is(missing[0], keyset.ErrNoKey) {
		t.Errorf("missing %v, want payments", missing)
	}
}

func TestAdoption(t *testing.T) {
	old := pair(t, "legacy key", elliptic.P256())
	set := payments()
	set.Label = "legacy key"
	ring := keyset.New([]keyset.Set{set}, keyset.Holdings{Pairs: []keyset.Pair{old}}, nil, at(noon))
	if key, err := ring.SigningKey("payments"); err != nil || key.Ref != old.Ref {
		t.Errorf("the adopted key does not sign: %v", err)
	}
}

func TestRawKeysAreNotPublished(t *testing.T) {
	raw := keyset.Set{Name: "tls", Alg: "ES256", Raw: true}
	ring := keyset.New([]keyset.Set{raw}, keyset.Holdings{Pairs: []keyset.Pair{pair(t, keyset.Label("tls", noon), elliptic.P256())}}, nil, at(noon))
	if names := ring.AssertionSets(); len(names) != 0 {
		t.Errorf("published %q", names)
	}
}
