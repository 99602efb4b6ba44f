package pool_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/pool"
	"github.com/assertd/assertd/hsm/wire"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
)

// loadTime is how long a fault lasts under load: 20 s, and 5 s with -short.
func loadTime() time.Duration {
	if !testing.Short() {
		return 20 * time.Second
	}
	return 5 * time.Second
}

// load asks for about 500 verified signatures a second, at a steady rate
// whether or not earlier ones have been answered. Each that fails, fails the
// test.
func load(t *testing.T, p *running, k wire.KeyInfo, d time.Duration) {
	t.Helper()
	ctx := within(t, d+30*time.Second)
	digest, opts := digestOf(k, "text")
	var all sync.WaitGroup
	var failed, asked atomic.Int64
	var slowest atomic.Int64
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(d); time.Now().Before(end); {
		<-ticker.C
		asked.Add(1)
		all.Go(func() {
			began := time.Now()
			if _, err := p.sign(ctx, k, digest, opts); err != nil && failed.Add(1) < 5 {
				t.Errorf("a request failed after %v: %v", time.Since(began), err)
			}
			for took := int64(time.Since(began)); ; {
				if old := slowest.Load(); took <= old || slowest.CompareAndSwap(old, took) {
					break
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d requests, %d failed, slowest %v; %d exits, %d resent, %d moved, %d killed", asked.Load(), failed.Load(), time.Duration(slowest.Load()),
		p.count(pool.EventExit), p.count(pool.EventResend), p.count(pool.EventMove), p.count(pool.EventKill))
	if failed.Load() > 0 {
		t.Errorf("%d of %d requests failed", failed.Load(), asked.Load())
	}
	if asked.Load() < int64(d/time.Second)*200 {
		t.Errorf("only %d requests were made: this machine is too slow for the test", asked.Load())
	}
}

// meanwhile runs f concurrently with the test until the returned function is
// called.
func meanwhile(f func(ctx context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); f(ctx) }()
	return func() { cancel(); <-done }
}

func TestWorkersKilledUnderLoad(t *testing.T) {
	p := runReady(t, config(tokenConfig(softhsm.New(t))))
	k := p.generate(hsm.P256)
	killed := 0
	stop := meanwhile(func(ctx context.Context) {
		for ticker := time.NewTicker(time.Second); ; killed++ {
			select {
			case <-ctx.Done():
				ticker.Stop()
				return
			case <-ticker.C:
			}
			if pids := p.pids(); len(pids) > 0 {
				_ = syscall.Kill(pids[killed%len(pids)], syscall.SIGKILL)
			}
		}
	})
	load(t, p, k, loadTime())
	stop()
	if killed < int(loadTime()/time.Second)-1 {
		t.Errorf("only %d workers were killed", killed)
	}
}

func TestModuleCrashesUnderLoad(t *testing.T) {
	token, m := softhsm.New(t), faulty.Build(t)
	c := config(faultyConfig(token, m))
	c.Workers = 3
	p := runReady(t, c)
	k := p.generate(hsm.P256)
	m.Set(t, "C_Sign", faulty.Fault{Action: faulty.Crash, Every: 200})
	load(t, p, k, loadTime())
	if m.Fired(t, "C_Sign") < 5 {
		t.Errorf("the module crashed %d times", m.Fired(t, "C_Sign"))
	}
}

func TestOneWorkerHangsUnderLoad(t *testing.T) {
	token, m := softhsm.New(t), faulty.Build(t)
	c := config(faultyConfig(token, m))
	c.Timeout = time.Second
	p := runReady(t, c)
	k := p.generate(hsm.P256)
	m.Set(t, "C_Sign", faulty.Fault{Action: faulty.Hang, PID: p.pids()[0]})
	load(t, p, k, loadTime())
	if p.count(pool.EventKill) != 1 || m.Fired(t, "C_Sign") == 0 {
		t.Errorf("%d workers were killed, %d calls hung", p.count(pool.EventKill), m.Fired(t, "C_Sign"))
	}
}

func TestStoppedWorkerUnderLoad(t *testing.T) {
	c := config(tokenConfig(softhsm.New(t)))
	c.Timeout = time.Second
	p := runReady(t, c)
	k := p.generate(hsm.P256)
	if err := syscall.Kill(p.pids()[0], syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	load(t, p, k, 3*time.Second)
	if p.count(pool.EventKill) != 1 {
		t.Errorf("%d workers were killed", p.count(pool.EventKill))
	}
}

func TestTokenGoesAndComesBack(t *testing.T) {
	for _, copies := range []bool{false, true} {
		t.Run(map[bool]string{false: "token objects", true: "session copies"}[copies], func(t *testing.T) {
			token := softhsm.New(t)
			tc := tokenConfig(token)
			tc.HSM.SessionCopies = copies
			p := runReady(t, config(tc))
			k := p.generate(hsm.P256)
			digest, opts := digestOf(k, "text")
			sign := func() error { _, err := p.sign(within(t, 10*time.Second), k, digest, opts); return err }
			if err := sign(); err != nil {
				t.Fatal(err)
			}
			token.Lose()
			eventually(t, 5*time.Second, "the loss is reported as ErrUnavailable", func() bool { return errors.Is(sign(), pool.ErrUnavailable) })
			for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
				began := time.Now()
				if err := sign(); !errors.Is(err, pool.ErrUnavailable) {
					t.Fatalf("while the token is gone: %v", err)
				}
				if took := time.Since(began); took > 500*time.Millisecond {
					t.Errorf("it took %v to report that the token is gone", took)
				}
			}
			if len(p.Inventory()) != 1 {
				t.Error("the inventory lost the key of a token that is gone")
			}
			token.Restore()
			eventually(t, 2*time.Second, "signing again", func() bool { return sign() == nil })
		})
	}
}

func TestCorruptSignatureIsMadeAgainElsewhere(t *testing.T) {
	token, m := softhsm.New(t), faulty.Build(t)
	p := runReady(t, config(faultyConfig(token, m)))
	k := p.generate(hsm.P256)
	digest, opts := digestOf(k, "text")
	before := p.pids()
	m.Set(t, "C_Sign", faulty.Fault{Action: faulty.Corrupt, Limit: 1})
	if _, err := p.sign(t.Context(), k, digest, opts); err != nil {
		t.Errorf("one corrupt signature: %v", err)
	}
	p.waitAll()
	same := 0
	for _, pid := range p.pids() {
		if slices.Contains(before, pid) {
			same++
		}
	}
	if n := p.count(pool.EventCorrupt); n != 1 || same != 1 {
		t.Errorf("%d corrupt signatures counted, %d workers kept; want 1 and 1", n, same)
	}

	m.Set(t, "C_Sign", faulty.Fault{Action: faulty.Corrupt})
	if s, err := p.sign(t.Context(), k, digest, opts); s != nil || (!errors.Is(err, pool.ErrCorrupt) && !errors.Is(err, hsm.ErrSignature)) {
		t.Errorf("only corrupt signatures: %x, %v", s, err)
	}
}

func TestProbeReplacesCorruptWorkers(t *testing.T) {
	token, m := softhsm.New(t), faulty.Build(t)
	c := config(faultyConfig(token, m))
	c.Probe = 50 * time.Millisecond
	p := runReady(t, c)
	p.probeWith(p.generate(hsm.P256))
	m.Set(t, "C_Sign", faulty.Fault{Action: faulty.Corrupt, PID: p.pids()[0]})
	eventually(t, 10*time.Second, "the worker is replaced", func() bool { return p.count(pool.EventCorrupt) == 1 && p.count(pool.EventReady) == 3 })
}

func TestSignatureThatKillsEveryWorkerIsGivenUp(t *testing.T) {
	token, m := softhsm.New(t), faulty.Build(t)
	c := config(faultyConfig(token, m))
	c.Workers = 4
	p := runReady(t, c)
	k := p.generate(hsm.P256)
	digest, opts := digestOf(k, "text")
	m.Set(t, "C_Sign", faulty.Fault{Action: faulty.Crash})
	if _, err := p.sign(within(t, 10*time.Second), k, digest, opts); !errors.Is(err, pool.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if n := m.Fired(t, "C_Sign"); n > 3 {
		t.Errorf("it crashed %d workers", n)
	}
	m.Clear(t, "C_Sign")
	m.Set(t, "C_Sign", faulty.Fault{Action: faulty.Hang})
	p.waitAll()
	if _, err := p.sign(within(t, 20*time.Second), k, digest, opts); !errors.Is(err, pool.ErrTimeout) {
		t.Errorf("got %v", err)
	}
}

func TestHarmlessErrorGoesToTheCaller(t *testing.T) {
	token, m := softhsm.New(t), faulty.Build(t)
	p := runReady(t, config(faultyConfig(token, m)))
	k := p.generate(hsm.P256)
	digest, opts := digestOf(k, "text")
	const mechanismInvalid = 0x70
	m.Set(t, "C_SignInit", faulty.Fault{Action: faulty.Return, Code: mechanismInvalid})
	_, err := p.sign(t.Context(), k, digest, opts)
	if code := (*hsm.Error)(nil); !errors.As(err, &code) || code.Code != mechanismInvalid {
		t.Errorf("got %v", err)
	}
	if p.count(pool.EventExit) != 0 {
		t.Error("a worker exited")
	}
	const deviceError = 0x30
	m.Set(t, "C_SignInit", faulty.Fault{Action: faulty.Return, Code: deviceError, Limit: 1})
	if _, err := p.sign(t.Context(), k, digest, opts); err != nil {
		t.Errorf("one worker's device error: %v", err)
	}
	eventually(t, 5*time.Second, "the worker's exit is reported with the code", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return slices.ContainsFunc(p.events, func(e pool.Event) bool {
			code := (*hsm.Error)(nil)
			return e.Kind == pool.EventExit && errors.As(e.Err, &code) && code.Code == deviceError
		})
	})
}

// What a worker's keys take in a TPM is freed when its module fails: the next
// login needs the room.
func TestFailedWorkerLogsOutOfATPM(t *testing.T) {
	token, m := softhsm.New(t), faulty.Build(t)
	m.Imitate(faulty.TPM2)
	p := runReady(t, config(faultyConfig(token, m)))
	k := p.generate(hsm.P256)
	digest, opts := digestOf(k, "text")
	if n := m.Calls(t, "C_Logout"); n != 0 {
		t.Fatalf("%d logouts before anything failed", n)
	}
	const generalError = 0x05
	// A worker that the machine gives no time goes without, so there may be
	// another.
	eventually(t, time.Minute, "a worker that fails logs out", func() bool {
		p.waitAll()
		m.Set(t, "C_SignInit", faulty.Fault{Action: faulty.Return, Code: generalError, Limit: 1})
		if _, err := p.sign(within(t, 30*time.Second), k, digest, opts); err != nil {
			t.Errorf("one worker's error: %v", err)
		}
		return m.Calls(t, "C_Logout") > 0
	})
}

func TestQueueIsBounded(t *testing.T) {
	token, m := softhsm.New(t), faulty.Build(t)
	c := config(faultyConfig(token, m))
	c.Workers, c.Depth, c.Queue = 1, 2, 3
	p := runReady(t, c)
	k := p.generate(hsm.P256)
	digest, opts := digestOf(k, "text")
	m.Set(t, "C_Sign", faulty.Fault{Action: faulty.Delay, Wait: 300 * time.Millisecond})
	var busy, done atomic.Int64
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			switch _, err := p.sign(t.Context(), k, digest, opts); {
			case err == nil:
				done.Add(1)
			case errors.Is(err, pool.ErrBusy):
				busy.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if done.Load() != 5 || busy.Load() != 7 {
		t.Errorf("%d signed, %d refused; want 5 and 7", done.Load(), busy.Load())
	}
}

func TestCallerMayLeave(t *testing.T) {
	token, m := softhsm.New(t), faulty.Build(t)
	c := config(faultyConfig(token, m))
	c.Workers, c.Depth = 1, 1
	p := runReady(t, c)
	k := p.generate(hsm.P256)
	digest, opts := digestOf(k, "text")
	m.Set(t, "C_Sign", faulty.Fault{Action: faulty.Delay, Wait: 400 * time.Millisecond, Limit: 1})
	var all sync.WaitGroup
	for range 3 { // one in the worker, two in the queue
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, err := p.sign(ctx, k, digest, opts); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	}
	all.Wait()
	if _, err := p.sign(t.Context(), k, digest, opts); err != nil {
		t.Errorf("after the callers left: %v", err)
	}
}
