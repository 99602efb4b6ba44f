package keyadmin_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/keyadmin"
	"github.com/assertd/assertd/internal/keyset"
)

// TestLife takes a key set through two rotations and back to one version.
func TestLife(t *testing.T) {
	b := newBench(t, payments())
	first := b.generate("payments")
	if first.State != keyset.Signing || first.Label != "payments/20260131T120000Z" || first.Custody() != "sound" {
		t.Errorf("the first version %+v", first.PlannedVersion)
	}
	b.at(89 * day)
	second := b.generate("payments")
	if second.State != keyset.Published || second.Outlook(b.clock) != "signing in 1d0h, 2026-05-01 12:00Z" {
		t.Errorf("the second version is %s; %s", second.State, second.Outlook(b.clock))
	}
	if _, err := b.Generate("payments", false); !errors.Is(err, keyadmin.ErrComing) {
		t.Errorf("one more by mistake: %v", err)
	}
	b.at(178 * day)
	third := b.generate("payments")
	if kids := prunable(t, b); len(kids) != 1 || kids[0] != first.Kid {
		t.Errorf("prunable %q, want the first", kids)
	}
	b.at(181 * day)
	for _, kid := range prunable(t, b) {
		if err := b.Destroy(b.find(kid), keyadmin.MayPrune); err != nil {
			t.Fatal(err)
		}
	}
	inv := b.inventory()
	if len(inv.Keys) != 1 || inv.Keys[0].Kid != third.Kid || inv.Keys[0].State != keyset.Signing {
		t.Errorf("left are %d keys", len(inv.Keys))
	}
	if kids := prunable(t, b); len(kids) != 0 {
		t.Errorf("prunable %q", kids)
	}
}

func prunable(t *testing.T, b *bench) (kids []string) {
	t.Helper()
	keys, err := b.inventory().Prunable()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		kids = append(kids, key.Kid)
	}
	return kids
}

func TestNothingInUseIsDestroyed(t *testing.T) {
	b := newBench(t, payments())
	first := b.generate("payments")
	b.at(89 * day)
	second := b.generate("payments")
	for _, key := range []keyadmin.Key{first, second} {
		for _, may := range []func(keyadmin.Key) error{keyadmin.MayDestroy, keyadmin.MayPrune} {
			if err := b.Destroy(b.find(key.Kid), may); !errors.Is(err, keyadmin.ErrInUse) {
				t.Errorf("%s: %v", key.State, err)
			}
		}
	}
	// While the person at the prompt thinks, the configuration and the clock
	// that the decision rested on have moved on.
	b.at(95 * day)
	retired := b.find(first.Kid)
	if err := keyadmin.MayPrune(retired); err != nil {
		t.Fatal(err)
	}
	b.at(89 * day)
	if err := b.Destroy(retired, keyadmin.MayPrune); !errors.Is(err, keyadmin.ErrInUse) {
		t.Errorf("by an old decision: %v", err)
	}
	revoking := payments()
	revoking.Rotation.Revoke = []string{second.Kid}
	b.configure(revoking)
	if err := b.Destroy(b.find(second.Kid), keyadmin.MayDestroy); err != nil {
		t.Errorf("a revoked one: %v", err)
	}
	if err := b.Destroy(second, keyadmin.MayDestroy); !errors.Is(err, keyadmin.ErrNoSuchKey) {
		t.Errorf("once more: %v", err)
	}
}

func TestFind(t *testing.T) {
	b := newBench(t, payments())
	key := b.generate("payments")
	b.foreign("legacy", []byte{1, 2}, 0, nil)
	b.foreign("legacy", []byte{3, 4}, 0, nil)
	for _, name := range []string{key.Kid, "kid:" + key.Kid, key.Label, "payments", "id:0102", "id:0304"} {
		if _, err := b.inventory().Find(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, want := range map[string]error{
		"legacy": keyadmin.ErrAmbiguous, "": keyadmin.ErrNoSuchKey, "id:ff": keyadmin.ErrNoSuchKey, "kid:" + key.Label: keyadmin.ErrNoSuchKey,
	} {
		if _, err := b.inventory().Find(name); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", name, err, want)
		}
	}
	if _, err := b.Generate("paymemts", false); !errors.Is(err, keyadmin.ErrNoSuchSet) || !strings.Contains(err.Error(), "payments") {
		t.Errorf("a mistyped key set: %v", err)
	}
}

func TestTable(t *testing.T) {
	b := newBench(t, payments())
	first := b.generate("payments")
	b.foreign("evil\x1b[2Jlabel", []byte{9}, 0, nil)
	b.at(89 * day)
	second := b.generate("payments")
	var out bytes.Buffer
	if err := b.inventory().WriteTable(&out, false, strings.TrimSpace); err != nil {
		t.Fatal(err)
	}
	stranger := b.find("id:09")
	want := strings.Join([]string{
		"KEY SET   VERSION             STATE      KID                                          ALG    CUSTODY  AGE  NEXT",
		"payments  20260131T120000Z    signing    " + first.Kid + "  ES256  sound    89d  retiring in 1d0h, 2026-05-01 12:00Z",
		"payments  20260430T120000Z    published  " + second.Kid + "  ES256  sound    0s   signing in 1d0h, 2026-05-01 12:00Z",
		`-         "evil\x1b[2Jlabel"  -          ` + stranger.Kid + "  P-256  sound    -    -",
		"",
		"payments: the next version is due in 90d, 2026-07-29 12:00Z",
		"",
	}, "\n")
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// A key set whose versions may all be on another token needs no new one.
func TestAnotherTokenMayHaveTheVersions(t *testing.T) {
	b := newBench(t)
	for text, others := range map[string][]string{
		"payments: no version is on this token; look on the others with --on east, --on west": {"east", "west"},
		"make one with `assertd key generate`":                                                nil,
	} {
		inv, err := keyadmin.New(b.token, []keyadmin.KeySet{payments()}, others, func() time.Time { return b.clock }).Inventory()
		if err != nil {
			t.Fatal(err)
		}
		if notes := strings.Join(inv.Notes(), "\n"); !strings.Contains(notes, text) || others != nil && strings.Contains(notes, "generate") {
			t.Errorf("notes with %v:\n%s", others, notes)
		}
	}
}

func TestDocument(t *testing.T) {
	set := payments()
	set.Rotation.Manual, set.Rotation.PublishBefore = true, 0
	b := newBench(t, set)
	key := b.generate("payments")
	text, err := json.Marshal(b.inventory().Document())
	if err != nil {
		t.Fatal(err)
	}
	var document keyadmin.Document
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	got := document.Sets[0]
	if got.Name != "payments" || got.Use != "assertion" || got.Signing != "" || !strings.Contains(got.Reason, key.Kid) {
		t.Errorf("set %+v", got)
	}
	version := got.Versions[0]
	if version.Kid != key.Kid || version.State != keyset.Published || version.Next != keyset.Signing || version.NextAt != nil || version.Attributes.Extractable != hsm.False {
		t.Errorf("version %+v", version)
	}
}

func TestSpan(t *testing.T) {
	for span, want := range map[time.Duration]string{
		0: "0s", 59 * time.Second: "59s", 90 * time.Second: "1m", time.Hour: "1h0m", 25 * time.Hour: "1d1h", 10*day + 5*time.Hour: "10d", -3 * time.Hour: "3h0m",
	} {
		if got := keyadmin.Span(span); got != want {
			t.Errorf("%v: %s, want %s", span, got, want)
		}
	}
}
