package hsm_test

import (
	"testing"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
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

// throughModule opens the token through a faulty module.
func throughModule(t *testing.T, module *faulty.Module) func(*hsm.Config) {
	t.Helper()
	for name, value := range module.Environment() {
		t.Setenv(name, value)
	}
	return func(c *hsm.Config) { c.Module = module.Path() }
}

func generate(t testing.TB, token *hsm.Token, label string, typ hsm.KeyType) *hsm.Key {
	t.Helper()
	key, err := token.Generate(hsm.Spec{Label: label, Type: typ})
	if err != nil {
		t.Fatal(err)
	}
	return key
}
