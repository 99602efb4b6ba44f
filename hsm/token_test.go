package hsm_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/test/softhsm"
)

// open opens a token for the test.
func open(t testing.TB, change ...func(*hsm.Config)) (*hsm.Token, *softhsm.Token) {
	t.Helper()
	soft := softhsm.New(t)
	return reopen(t, soft, change...), soft
}

func reopen(t testing.TB, soft *softhsm.Token, change ...func(*hsm.Config)) *hsm.Token {
	t.Helper()
	cfg := hsm.Config{Module: soft.Module, Label: soft.Label}
	for _, f := range change {
		f(&cfg)
	}
	token, err := hsm.Open(cfg, hsm.NewPIN([]byte(soft.PIN)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = token.Close() })
	return token
}

func withCopies(cfg *hsm.Config) { cfg.SessionCopies = true }

func generate(t testing.TB, token *hsm.Token, label string, typ hsm.KeyType) *hsm.Key {
	t.Helper()
	key, err := token.Generate(hsm.Spec{Label: label, Type: typ})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// softHSMTypes are the types that SoftHSM 2.6 makes: all but ML-DSA.
func softHSMTypes() []hsm.KeyType {
	return slices.DeleteFunc(hsm.KeyTypes(), func(typ hsm.KeyType) bool { return strings.HasPrefix(string(typ), "ML-DSA-") })
}
