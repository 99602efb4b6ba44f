package pool_test

import (
	"crypto"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/pool"
	"github.com/assertd/assertd/hsm/wire"
	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
)

// A worker proves itself with the algorithm of the key set: a key may be
// restricted to it.
func TestProbeUsesTheConfiguredAlgorithm(t *testing.T) {
	token := softhsm.New(t)
	token.GeneratePSS("pss")
	c := config(tokenConfig(token))
	c.Workers, c.Probe = 1, time.Hour
	first := runReady(t, c)
	ref := first.Inventory()[0].Ref
	first.stop()

	for _, test := range []struct {
		name string
		opts crypto.SignerOpts
		want error
	}{
		{"PS256", jose.PSS(crypto.SHA256), nil},
		{"RS256", crypto.SHA256, hsm.ErrAlgorithm},
	} {
		p, err := pool.New(c)
		if err != nil {
			t.Fatal(err)
		}
		p.SetProbes(map[wire.KeyRef]crypto.SignerOpts{ref: test.opts})
		r := runPool(t, p)
		err = r.WaitReady(within(t, 30*time.Second))
		if !errors.Is(err, test.want) || err != nil && !strings.Contains(err.Error(), `"pss"`) {
			t.Errorf("%s: %v, want %v and the key's label", test.name, err, test.want)
		}
		r.stop()
	}
}

// A worker that started before the pool knew its probes proves itself once it
// does, not a probe interval later.
func TestSetProbesProvesWorkersInService(t *testing.T) {
	token, m := softhsm.New(t), faulty.Build(t)
	k := prepare(t, token, hsm.P256)
	c := config(faultyConfig(token, m))
	c.Workers, c.Probe = 1, time.Hour
	p := runReady(t, c)
	m.Set(t, "C_Sign", faulty.Fault{Action: faulty.Corrupt, Limit: 1})
	p.probeWith(k)
	eventually(t, 30*time.Second, "the worker is replaced", func() bool {
		return p.count(pool.EventCorrupt) == 1 && p.count(pool.EventReady) == 2
	})
	if n := m.Calls(t, "C_Sign"); n != 2 {
		t.Errorf("%d signatures, want one by each worker", n)
	}
}

// The pool doesn't sign with keys that no key set has.
func TestProbeLeavesOtherKeysAlone(t *testing.T) {
	token, m := softhsm.New(t), faulty.Build(t)
	prepare(t, token, hsm.P256)
	c := config(faultyConfig(token, m))
	c.Workers, c.Probe = 1, 20*time.Millisecond
	p := runReady(t, c)
	looks := m.Calls(t, "C_FindObjectsInit")
	for range 5 {
		former := p.LastPing()
		eventually(t, 30*time.Second, "the worker is pinged instead", func() bool { return p.LastPing() > former })
	}
	if n := m.Calls(t, "C_Sign"); n != 0 || looks == 0 {
		t.Errorf("%d signatures by a key that isn't configured, after %d searches", n, looks)
	}
}
