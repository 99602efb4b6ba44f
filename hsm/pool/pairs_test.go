package pool

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm/wire"
	"github.com/assertd/assertd/internal/keyset"
)

// The same pair on two tokens is one; what is wrong with either copy, in
// whichever order they are listed, is wrong with it.
func TestPairsOnTwoTokens(t *testing.T) {
	public := make(ed25519.PublicKey, ed25519.PublicKeySize)
	on := func(token string, ref byte, problem string) wire.KeyInfo {
		return wire.KeyInfo{Token: token, Label: "one", Ref: wire.KeyRef{ref}, Public: public, Problem: problem}
	}
	other := func(token, label string, ref byte, problem string) wire.KeyInfo {
		info := on(token, ref, problem)
		info.Label = label
		return info
	}
	const extractable = "CKA_EXTRACTABLE is true"
	for name, test := range map[string]struct {
		inventory []wire.KeyInfo
		problems  []string
	}{
		"copies":              {[]wire.KeyInfo{on("a", 1, ""), on("b", 1, "")}, []string{""}},
		"the second can go":   {[]wire.KeyInfo{on("a", 1, ""), on("b", 1, extractable)}, []string{extractable}},
		"the first can go":    {[]wire.KeyInfo{on("a", 1, extractable), on("b", 1, "")}, []string{extractable}},
		"two under one name":  {[]wire.KeyInfo{on("a", 1, ""), on("b", 2, "")}, []string{"", ""}},
		"another label":       {[]wire.KeyInfo{on("a", 1, ""), other("a", "two", 1, "")}, []string{"", ""}},
		"one of which leaves": {[]wire.KeyInfo{on("a", 1, ""), other("b", "two", 1, extractable)}, []string{extractable, extractable}},
		"twice on a token":    {[]wire.KeyInfo{on("a", 1, ""), on("a", 1, ""), on("b", 1, "")}, []string{"", ""}},
		"unreadable ones":     {[]wire.KeyInfo{{Problem: "a"}, {Problem: "b"}}, []string{"a", "b"}},
	} {
		found := pairs(test.inventory)
		if len(found) != len(test.problems) {
			t.Errorf("%s: %d pairs", name, len(found))
			continue
		}
		for i, want := range test.problems {
			if found[i].Problem != want {
				t.Errorf("%s: %q, want %q", name, found[i].Problem, want)
			}
		}
	}
}

// One pair that the token has under the labels of two key sets serves both,
// whichever is listed first.
func TestOnePairForBothUsesIsRefused(t *testing.T) {
	public := make(ed25519.PublicKey, ed25519.PublicKeySize)
	copies := []wire.KeyInfo{
		{Token: "a", Label: "mtls/20260131T120000Z", Ref: wire.KeyRef{1}, Public: public},
		{Token: "a", Label: "payments/20260131T120000Z", Ref: wire.KeyRef{1}, Public: public},
		{Token: "a", Label: "payments/20260201T120000Z", Ref: wire.KeyRef{1}, Public: public},
	}
	sets := []keyset.Set{{Name: "payments", Alg: "EdDSA"}, {Name: "mtls", Alg: "EdDSA", Raw: true}}
	for want, inventory := range map[string][]wire.KeyInfo{
		`serves both "payments" and "mtls"`: {copies[0], copies[1]},
		"serves both":                       {copies[1], copies[0]},
		"kid used twice":                    {copies[1], copies[2]},
	} {
		ring := keyset.New(sets, keyset.Holdings{Pairs: pairs(inventory)}, nil, time.Now)
		if _, err := ring.SigningKey("payments"); !errors.Is(err, keyset.ErrNoKey) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
