package pool_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/pool"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
)

// slowModule is a pool with the default settings whose module takes 1.2 s of
// the 2 s that a signature gets.
func slowModule(t *testing.T) (*running, func() error) {
	token, m := softhsm.New(t), faulty.Build(t)
	p := runReady(t, config(faultyConfig(token, m)))
	k := p.generate(hsm.P256)
	m.Set(t, "C_Sign", faulty.Fault{Action: faulty.Delay, Wait: 1200 * time.Millisecond})
	digest, opts := digestOf(k, "text")
	return p, func() error { _, err := p.sign(t.Context(), k, digest, opts); return err }
}

// A module that is slow but within its deadline is used to the full: as many
// callers as sessions all get their signatures, and no worker is killed.
func TestSlowModule(t *testing.T) {
	const rounds, callers = 4, pool.DefaultWorkers * hsm.DefaultSessions
	p, sign := slowModule(t)
	began := time.Now()
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range rounds {
				if err := sign(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if took, limit := time.Since(began), rounds*1800*time.Millisecond; took > limit {
		t.Errorf("%d signatures took %v, want at most %v", rounds*callers, took, limit)
	}
	if n, copies := p.count(pool.EventKill), p.count(pool.EventMove); n+copies > 0 {
		t.Errorf("%d healthy workers were killed, %d signatures were sent twice", n, copies)
	}
}

// Overload of a slow module ends in ErrBusy, not in dead workers.
func TestOverloadOfASlowModule(t *testing.T) {
	p, sign := slowModule(t)
	var busy, signed atomic.Int64
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			switch err := sign(); {
			case err == nil:
				signed.Add(1)
			case errors.Is(err, pool.ErrBusy):
				busy.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if busy.Load() == 0 || signed.Load() < pool.DefaultWorkers*hsm.DefaultSessions || p.count(pool.EventKill) > 0 {
		t.Errorf("%d signed, %d refused, %d workers killed", signed.Load(), busy.Load(), p.count(pool.EventKill))
	}
}
