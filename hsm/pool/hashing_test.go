package pool_test

import (
	"crypto"
	"errors"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/signer"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
)

// A token that hashes messages itself gets them, from callers that have them,
// and its workers prove themselves with one.
func TestTokenThatHashesMessages(t *testing.T) {
	token, m := softhsm.New(t), faulty.Build(t)
	m.OnlyHash()
	k := prepare(t, token, hsm.RSA2048)
	p := run(t, config(faultyConfig(token, m)), k)
	if err := p.WaitReady(within(t, 30*time.Second)); err != nil {
		t.Fatal(err)
	}
	p.waitAll()
	for _, name := range []string{"RS256", "PS512"} {
		alg, err := jose.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		message := []byte("a message of " + name)
		digest := alg.Digest(message)
		verify := func(signature []byte) error { return jose.Verify(k.Public, digest, alg.Options, signature) }
		opts := jose.WithMessage{SignerOpts: alg.Options, Message: message}
		if _, err := p.Sign(t.Context(), "set", k.Ref, digest, opts, verify); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := p.Sign(t.Context(), "set", k.Ref, make([]byte, 32), crypto.SHA256, nil)
	if !errors.Is(err, hsm.ErrAlgorithm) || !errors.Is(err, signer.ErrUnfit) {
		t.Errorf("signing a digest: %v", err)
	}
}
