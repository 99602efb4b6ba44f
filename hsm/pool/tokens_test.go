package pool_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/pool"
	"github.com/assertd/assertd/hsm/wire"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
)

// twins are two tokens with the same key pair: the first has the faulty module,
// the second is a copy of its files, like a second HSM that operators keep in
// step.
func twins(t *testing.T) (first, second pool.TokenConfig, k wire.KeyInfo, soft *softhsm.Token, m *faulty.Module) {
	t.Helper()
	soft, m = softhsm.New(t), faulty.Build(t)
	k = prepare(t, soft, hsm.P256)
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "tokens"), os.DirFS(filepath.Join(soft.Dir, "tokens"))); err != nil {
		t.Fatal(err)
	}
	conf := writeFile(t, "softhsm2.conf", "directories.tokendir = "+filepath.Join(dir, "tokens")+"\nobjectstore.backend = file\nlog.level = ERROR\n")
	first, second = faultyConfig(soft, m), tokenConfig(soft)
	first.Name, second.Name = "first", "second"
	second.Environment = map[string]string{"SOFTHSM2_CONF": conf}
	return first, second, k, soft, m
}

func ready(p *running, token string) (n int) {
	for _, s := range p.Status() {
		if s.Token == token && s.State == ipc.WorkerReady {
			n++
		}
	}
	return n
}

// A caller that makes one signature after another never waits longer than a
// second, whatever happens to one of the tokens.
func TestKeyOnTwoTokensMovesOver(t *testing.T) {
	first, second, k, soft, m := twins(t)
	p := runReady(t, config(first, second))
	digest, opts := digestOf(k, "text")
	var slowest time.Duration
	sign := func(d time.Duration) {
		t.Helper()
		for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Millisecond) {
			began := time.Now()
			if _, err := p.sign(within(t, 5*time.Second), k, digest, opts); err != nil {
				t.Fatal(err)
			}
			slowest = max(slowest, time.Since(began))
		}
	}
	sign(200 * time.Millisecond)
	m.Set(t, "C_Sign", faulty.Fault{Action: faulty.Hang})
	sign(4 * time.Second) // longer than the timeout that kills the workers
	if m.Fired(t, "C_Sign") == 0 {
		t.Error("the first token was never asked")
	}
	m.Clear(t, "C_Sign")
	p.waitAll()
	soft.Lose()
	sign(2 * time.Second)
	if ready(p, "first") != 0 || ready(p, "second") != 2 {
		t.Errorf("ready workers: %d and %d; want 0 and 2", ready(p, "first"), ready(p, "second"))
	}
	soft.Restore()
	eventually(t, 3*time.Second, "the first token is back", func() bool { return ready(p, "first") == 2 })
	if t.Logf("slowest signature: %v", slowest); slowest > time.Second {
		t.Errorf("a caller waited %v", slowest)
	}
}

func TestKeysOfOneTokenAreNotAskedOfAnother(t *testing.T) {
	soft := softhsm.New(t)
	other := soft.Add("other")
	k, l := prepare(t, soft, hsm.P256), prepare(t, other, hsm.P384)
	p := runReady(t, config(tokenConfig(soft), tokenConfig(other)))
	for _, key := range []wire.KeyInfo{k, l} {
		for range 8 {
			digest, opts := digestOf(key, "text")
			if _, err := p.sign(t.Context(), key, digest, opts); err != nil {
				t.Error(err)
			}
		}
	}
	if n := len(p.Inventory()); n != 2 || p.count(pool.EventExit) != 0 {
		t.Errorf("%d keys, %d workers exited", n, p.count(pool.EventExit))
	}
}

// WaitAll waits for a slow token, and fails if one can't be read.
func TestWaitAll(t *testing.T) {
	soft, m := softhsm.New(t), faulty.Build(t)
	other := soft.Add("other")
	prepare(t, soft, hsm.P256)
	prepare(t, other, hsm.P384)
	m.Set(t, "C_Login", faulty.Fault{Action: faulty.Delay, Wait: 500 * time.Millisecond})
	p := run(t, config(tokenConfig(other), faultyConfig(soft, m)))
	if err := p.WaitAll(within(t, 30*time.Second)); err != nil || len(p.Inventory()) != 2 || len(p.Unread()) != 0 {
		t.Errorf("%d keys, %v, unread: %v", len(p.Inventory()), err, p.Unread())
	}
	p.stop()
	if err := p.WaitAll(t.Context()); !errors.Is(err, pool.ErrStopped) {
		t.Errorf("a pool that has stopped: %v", err)
	}

	wrong := tokenConfig(soft)
	wrong.PIN.File = writeFile(t, "pin", "wrong")
	p = run(t, config(tokenConfig(other), wrong))
	if err := p.WaitReady(within(t, 30*time.Second)); err != nil {
		t.Error(err)
	}
	if err := p.WaitAll(within(t, 30*time.Second)); !errors.Is(err, hsm.ErrPINIncorrect) {
		t.Errorf("a token that can't be read: %v", err)
	}
	if names := p.Unread(); len(names) != 1 || names[0] != wrong.Name {
		t.Errorf("unread: %v", names)
	}
}

// One worker that answers is enough for a token to count as read, whichever it
// is.
func TestRefreshWithoutOneWorker(t *testing.T) {
	p := runReady(t, config(tokenConfig(softhsm.New(t))))
	for place := range 2 {
		p.waitAll()
		pid := p.pids()[place]
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		if err := p.Refresh(within(t, 20*time.Second)); err != nil {
			t.Errorf("worker %d doesn't answer: %v", pid, err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, 20*time.Second, "it is replaced", func() bool { return !slices.Contains(p.pids(), pid) })
	}
}

// A token that hasn't changed is read by one worker, since a token with many
// keys takes a while. After a change every worker reads it.
func TestRefreshAsksOneWorkerUntilTheKeysChange(t *testing.T) {
	token, m := softhsm.New(t), faulty.Build(t)
	p := runReady(t, config(faultyConfig(token, m)))
	searches := func() uint64 {
		before := m.Calls(t, "C_FindObjectsInit")
		if err := p.Refresh(within(t, 20*time.Second)); err != nil {
			t.Fatal(err)
		}
		return m.Calls(t, "C_FindObjectsInit") - before
	}
	one := searches()
	prepare(t, token, hsm.P256) // by another process
	if both := searches(); both <= one {
		t.Errorf("%d searches after a change, %d without one; want them in every worker", both, one)
	}
	again := searches()
	if twice := searches(); twice != again {
		t.Errorf("%d and %d searches without a change", again, twice)
	}
}
