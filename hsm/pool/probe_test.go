package pool_test

import (
	"crypto"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/pool"
	"github.com/assertd/assertd/hsm/wire"
	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/signer"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
)

// A worker proves itself with the algorithm of the key set: a key may be
// restricted to it. A key set with another algorithm can't sign, and its
// token's worker can.
func TestProbeUsesTheConfiguredAlgorithm(t *testing.T) {
	token, m := softhsm.New(t), faulty.Build(t)
	token.GeneratePSS("pss")
	c := config(faultyConfig(token, m))
	c.Workers, c.Probe = 1, time.Hour
	first := runReady(t, c)
	key := first.Inventory()[0]
	first.stop()

	for _, test := range []struct {
		name string
		opts crypto.SignerOpts
		want error
	}{
		{"PS256", jose.PSS(crypto.SHA256), nil},
		{"RS256", crypto.SHA256, signer.ErrUnfit},
	} {
		p, err := pool.New(c)
		if err != nil {
			t.Fatal(err)
		}
		p.SetProbes(map[wire.KeyRef]crypto.SignerOpts{key.Ref: test.opts})
		r := runPool(t, p)
		if err := r.WaitReady(within(t, 30*time.Second)); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		digest := sha256.Sum256([]byte("text"))
		if _, err := r.Sign(t.Context(), "set", key.Ref, digest[:], test.opts, nil); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
		if w := r.Status()[0]; w.State != ipc.WorkerReady || w.Restarts != 0 {
			t.Errorf("%s: the worker: %+v", test.name, w)
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
