package pool_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/pool"
	"github.com/assertd/assertd/hsm/wire"
	"github.com/assertd/assertd/internal/logging/logtest"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
)

// runHiding runs workers of a module that hides what other processes generate.
func runHiding(t *testing.T, workers int, newProcess bool) (*running, *softhsm.Token, *faulty.Module, pool.TokenConfig) {
	token, m := softhsm.New(t), faulty.Build(t)
	m.HideNewObjects()
	tc := faultyConfig(token, m)
	tc.ReadInNewProcess = newProcess
	c := config(tc)
	c.Workers = workers
	return runReady(t, c), token, m, tc
}

// signMany signs with a key from many goroutines, so that every worker does.
func (r *running) signMany(k wire.KeyInfo) {
	r.t.Helper()
	digest, opts := digestOf(k, "text")
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			if _, err := r.sign(within(r.t, 20*time.Second), k, digest, opts); err != nil {
				r.t.Error(err)
			}
		})
	}
	all.Wait()
}

// A key that another process generated is found although the module hides it
// from the workers, and they sign with it.
func TestNewProcessFindsKeysOfOthers(t *testing.T) {
	for _, workers := range []int{1, 2} {
		t.Run(fmt.Sprint(workers, " workers"), func(t *testing.T) { findKeysOfOthers(t, workers) })
	}
}

func findKeysOfOthers(t *testing.T, workers int) {
	r, token, _, _ := runHiding(t, workers, true)
	first := r.generate(hsm.P256)
	r.signMany(first)
	before := r.pids()
	if err := r.Refresh(within(t, 30*time.Second)); err != nil {
		t.Fatal(err)
	}
	if now := r.pids(); !slices.Equal(now, before) {
		t.Errorf("workers %v were replaced by %v, which see the same keys", before, now)
	}

	second := prepare(t, token, hsm.P384)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 10 {
			r.signMany(first)
		}
	}()
	if err := r.Refresh(within(t, 30*time.Second)); err != nil {
		t.Fatal(err)
	}
	<-done
	if n := len(r.Inventory()); n != 2 {
		t.Errorf("%d keys are known; want 2", n)
	}
	r.signMany(second)
	for _, pid := range r.pids() {
		if slices.Contains(before, pid) {
			t.Errorf("worker %d was not replaced", pid)
		}
	}
	for _, s := range r.Status() {
		if s.Restarts != 0 {
			t.Errorf("worker %d counts %d restarts", s.Worker, s.Restarts)
		}
	}
	if n := r.count(pool.EventExit) + r.count(pool.EventResend); n != 0 {
		t.Errorf("%d workers failed or gave up a signature", n)
	}
}

// A module that is known to hide keys is read from a new process without the
// setting.
func TestQuirkReadsInANewProcess(t *testing.T) {
	token, m := softhsm.New(t), faulty.Build(t)
	m.Imitate(faulty.NShield)
	c, journal := config(faultyConfig(token, m)), new(logtest.Journal)
	c.Logger = journal
	r := runReady(t, c)
	prepare(t, token, hsm.P256)
	if err := r.Refresh(within(t, 30*time.Second)); err != nil {
		t.Fatal(err)
	}
	if keys := r.Inventory(); len(keys) != 1 {
		t.Errorf("the pool knows %d keys, want the one that another process made", len(keys))
	}
	if about := r.Described()[faultyConfig(token, m).Name].Module; about.Provider != "Entrust nShield" || len(about.Quirks) == 0 {
		t.Errorf("the worker describes its module as %+v", about)
	}
	if log := strings.Join(journal.Take(), "\n"); !strings.Contains(log, "hides-new-keys") {
		t.Errorf("the log doesn't name the quirks:\n%s", log)
	}
}

// Without the setting such a key is never found: the module really hides it.
func TestHidingModuleHides(t *testing.T) {
	r, token, _, _ := runHiding(t, 2, false)
	prepare(t, token, hsm.P256)
	if err := r.Refresh(within(t, 30*time.Second)); err != nil {
		t.Fatal(err)
	}
	if keys := r.Inventory(); len(keys) != 0 {
		t.Errorf("the module shows %d keys", len(keys))
	}
}

// The process that reads the token is one more login, which must not lock it.
func TestNewProcessDoesNotRepeatARefusedPIN(t *testing.T) {
	r, _, m, tc := runHiding(t, 2, true)
	k := r.generate(hsm.P256)
	if err := os.WriteFile(tc.PIN.File, []byte("not-the-pin"), 0o600); err != nil {
		t.Fatal(err)
	}
	logins := m.Calls(t, "C_Login")
	for range 3 {
		if err := r.Refresh(within(t, 30*time.Second)); !errors.Is(err, hsm.ErrPINIncorrect) {
			t.Errorf("refresh with a wrong PIN: %v", err)
		}
	}
	if n := m.Calls(t, "C_Login") - logins; n != 1 {
		t.Errorf("%d logins; want 1", n)
	}
	r.signMany(k)
}
