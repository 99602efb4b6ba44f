package pool_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/pool"
	"github.com/assertd/assertd/hsm/wire"
	"github.com/assertd/assertd/test/softhsm"
)

func TestEveryKeyTypeSigns(t *testing.T) {
	c := config(tokenConfig(softhsm.New(t)))
	c.Probe = time.Hour
	p := runReady(t, c)
	types := slices.DeleteFunc(hsm.KeyTypes(), softhsm.Lacks)
	for _, typ := range types {
		k := p.generate(typ)
		if k.Type != typ || k.Problem != "" || k.Custody.Check() != nil {
			t.Errorf("%s: generated %+v", typ, k)
		}
		digest, opts := digestOf(k, "text")
		// Often enough for the worker that didn't make the key to sign too.
		for range 4 {
			if _, err := p.sign(t.Context(), k, digest, opts); err != nil {
				t.Errorf("%s: %v", typ, err)
			}
		}
	}
	if got := len(p.Inventory()); got != len(types) {
		t.Errorf("the inventory has %d keys", got)
	}
}

func TestWorkersSignWithKeysOfOtherWorkers(t *testing.T) {
	token := softhsm.New(t)
	c := config(tokenConfig(token))
	c.Workers = 1
	one, two := runReady(t, c), runReady(t, c)
	k := one.generate(hsm.P256)
	digest, opts := digestOf(k, "text")
	if _, err := two.sign(t.Context(), k, digest, opts); !errors.Is(err, hsm.ErrKeyNotFound) {
		t.Errorf("before Refresh: %v; want ErrKeyNotFound", err)
	}
	if err := two.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := two.sign(t.Context(), k, digest, opts); err != nil {
		t.Errorf("after Refresh: %v", err)
	}
}

func TestSignRefusesWhatItCannotSign(t *testing.T) {
	p := runReady(t, config(tokenConfig(softhsm.New(t))))
	ec, rsaKey := p.generate(hsm.P256), p.generate(hsm.RSA2048)
	digest, _ := digestOf(ec, "text")
	for _, test := range []struct {
		name   string
		key    wire.KeyRef
		digest []byte
		opts   crypto.SignerOpts
		want   error
	}{
		{"unknown key", wire.KeyRef{1}, digest, crypto.SHA256, hsm.ErrKeyNotFound},
		{"short digest", ec.Ref, digest[:31], crypto.SHA256, hsm.ErrAlgorithm},
		{"SHA-1", rsaKey.Ref, digest[:20], crypto.SHA1, hsm.ErrAlgorithm},
		{"RSA without a hash", rsaKey.Ref, digest, crypto.Hash(0), hsm.ErrAlgorithm},
		{"PSS with the longest salt", rsaKey.Ref, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto, Hash: crypto.SHA256}, hsm.ErrAlgorithm},
	} {
		if _, err := p.Sign(t.Context(), "", test.key, test.digest, test.opts, nil); !errors.Is(err, test.want) {
			t.Errorf("%s: %v; want %v", test.name, err, test.want)
		}
	}
	pss := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	if _, err := p.sign(t.Context(), rsaKey, digest, pss); err != nil {
		t.Errorf("PSS: %v", err)
	}
	if p.count(pool.EventExit) != 0 {
		t.Error("an invalid request killed a worker")
	}
}

func TestTimingSaysWhereTheTimeWent(t *testing.T) {
	p := runReady(t, config(tokenConfig(softhsm.New(t))))
	k := p.generate(hsm.P256)
	digest, opts := digestOf(k, "text")
	if _, err := p.Sign(t.Context(), "payments", k.Ref, digest, opts, nil); err != nil {
		t.Fatal(err)
	}
	timing := p.signed["payments"].timing
	if timing.Attempts != 1 || timing.Module <= 0 || timing.Worker < timing.Module+timing.Session || timing.Queue < 0 {
		t.Errorf("timing %+v", timing)
	}
}

// The observer gets failed signatures, but not those whose callers gave up.
func TestObserverGetsFailures(t *testing.T) {
	p := runReady(t, config(tokenConfig(softhsm.New(t))))
	k := p.generate(hsm.P256)
	digest, opts := digestOf(k, "text")
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := p.Sign(gone, "gone", k.Ref, digest, opts, nil); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that gave up: %v", err)
	}
	if _, err := p.Sign(t.Context(), "payments", wire.KeyRef{1}, digest, opts, nil); err == nil {
		t.Error("an unknown key signs")
	}
	if s := p.signed["payments"]; !errors.Is(s.err, hsm.ErrKeyNotFound) {
		t.Errorf("the observer got %v; want ErrKeyNotFound", s.err)
	}
	if s := p.signed["gone"]; s.err != nil {
		t.Errorf("the observer got %v for a caller that gave up", s.err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	token := pool.TokenConfig{Name: "a", HSM: hsm.Config{Module: "/m.so", Label: "l"}, PIN: hsm.PINSource{File: "/pin"}}
	with := func(change func(*pool.Config)) pool.Config {
		c := config(token)
		change(&c)
		return c
	}
	for want, c := range map[string]pool.Config{
		"no command":           with(func(c *pool.Config) { c.Command = nil }),
		"no token":             with(func(c *pool.Config) { c.Tokens = nil }),
		"use 1 to 64":          with(func(c *pool.Config) { c.Workers = 65 }),
		"depth":                with(func(c *pool.Config) { c.Depth = -1 }),
		"negative":             with(func(c *pool.Config) { c.Timeout = -1 }),
		"named \"a\"":          with(func(c *pool.Config) { c.Tokens = append(c.Tokens, token) }),
		"has no name":          with(func(c *pool.Config) { c.Tokens[0].Name = "" }),
		"can't prompt":         with(func(c *pool.Config) { c.Tokens[0].PIN = hsm.PINSource{Prompt: true} }),
		"environment variable": with(func(c *pool.Config) { c.Tokens[0].Environment = map[string]string{"A=B": "c"} }),
	} {
		if _, err := pool.New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want something about %q", err, want)
		}
	}
}

func TestPoolThatDoesNotRunSignsNothing(t *testing.T) {
	p, err := pool.New(config(tokenConfig(softhsm.New(t))))
	if err != nil {
		t.Fatal(err)
	}
	digest := make([]byte, 32)
	if _, err := p.Sign(t.Context(), "", wire.KeyRef{}, digest, crypto.SHA256, nil); !errors.Is(err, pool.ErrUnavailable) {
		t.Errorf("before Run: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Sign(t.Context(), "", wire.KeyRef{}, digest, crypto.SHA256, nil); !errors.Is(err, pool.ErrStopped) {
		t.Errorf("after Run: %v", err)
	}
	if err := p.Run(t.Context()); err == nil {
		t.Error("Run ran twice")
	}
}
