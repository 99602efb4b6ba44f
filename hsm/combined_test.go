package hsm_test

import (
	"crypto"
	"errors"
	"testing"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
)

// A token that signs only messages which it hashes itself is as good as
// another, for those who have the message.
func TestTokenThatHashesMessages(t *testing.T) {
	soft, module := softhsm.New(t), faulty.Build(t)
	module.OnlyHash()
	token := reopen(t, soft, throughModule(t, module))
	key := generate(t, token, "key", hsm.RSA2048)
	if !key.WantsMessage() {
		t.Error("the key doesn't want the message")
	}
	for _, name := range jose.NamesFor(jose.RSA) {
		if err := key.Prove(t.Context(), name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := key.Sign(nil, make([]byte, 32), crypto.SHA256); !errors.Is(err, hsm.ErrAlgorithm) || hsm.IsFatal(err) {
		t.Errorf("signing a digest: %v", err)
	}
}

// A token may refuse a mechanism that it lists. That costs one attempt.
func TestRefusedMechanismIsRemembered(t *testing.T) {
	soft, module := softhsm.New(t), faulty.Build(t)
	token := reopen(t, soft, throughModule(t, module))
	module.OnlyHash() // from now on
	key := generate(t, token, "key", hsm.RSA2048)
	before := module.Calls(t, "C_SignInit")
	for range 3 {
		if err := key.Prove(t.Context(), "RS256"); err != nil {
			t.Fatal(err)
		}
	}
	if !key.WantsMessage() {
		t.Error("the key doesn't want the message")
	}
	if calls := module.Calls(t, "C_SignInit") - before; calls != 3 {
		t.Errorf("C_SignInit was called %d times for 3 signatures", calls)
	}
}
