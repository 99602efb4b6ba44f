package daemon

import (
	"crypto/ed25519"
	"testing"

	"github.com/assertd/assertd/hsm/worker"
)

// The same pair on two tokens is one; what is wrong with either copy, in whichever
// order they are listed, is wrong with it.
func TestPairsOnTwoTokens(t *testing.T) {
	public := make(ed25519.PublicKey, ed25519.PublicKeySize)
	on := func(token string, ref byte, problem string) worker.KeyInfo {
		return worker.KeyInfo{Token: token, Label: "one", Ref: worker.KeyRef{ref}, Public: public, Problem: problem}
	}
	const extractable = "CKA_EXTRACTABLE is true"
	for name, test := range map[string]struct {
		inventory []worker.KeyInfo
		problems  []string
	}{
		"copies":             {[]worker.KeyInfo{on("a", 1, ""), on("b", 1, "")}, []string{""}},
		"the second can go":  {[]worker.KeyInfo{on("a", 1, ""), on("b", 1, extractable)}, []string{extractable}},
		"the first can go":   {[]worker.KeyInfo{on("a", 1, extractable), on("b", 1, "")}, []string{extractable}},
		"two under one name": {[]worker.KeyInfo{on("a", 1, ""), on("b", 2, "")}, []string{"", ""}},
		"unreadable ones":    {[]worker.KeyInfo{{Problem: "a"}, {Problem: "b"}}, []string{"a", "b"}},
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
