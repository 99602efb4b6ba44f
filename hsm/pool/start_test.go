package pool_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/pool"
	"github.com/assertd/assertd/hsm/wire"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
)

// If the PIN file goes wrong while the daemon runs, a worker that restarts
// tries the PIN once, and nothing tries it again.
func TestRefusedPINIsTriedOnce(t *testing.T) {
	token, m := softhsm.New(t), faulty.Build(t)
	tc := faultyConfig(token, m)
	c := config(tc)
	c.Workers = 3
	log := &lines{}
	c.Logger = log
	p := runReady(t, c)
	k := p.generate(hsm.P256)
	digest, opts := digestOf(k, "text")
	if err := os.WriteFile(tc.PIN.File, []byte("not-the-pin"), 0o600); err != nil {
		t.Fatal(err)
	}
	logins := m.Calls(t, "C_Login")
	if logins != 3 {
		t.Errorf("three workers logged in %d times", logins)
	}
	m.Set(t, "C_Sign", faulty.Fault{Action: faulty.Crash, Limit: 2})
	if _, err := p.sign(t.Context(), k, digest, opts); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "two workers wait for another PIN", func() bool { return p.inState(ipc.WorkerRefused) == 2 })
	eventually(t, 10*time.Second, "the log says so", func() bool { return strings.Contains(log.text(), "then reload (SIGHUP)") })
	if n := m.Calls(t, "C_Login") - logins; n != 1 || p.count(pool.EventRefused) != 1 {
		t.Errorf("%d logins and %d refusals after the PIN changed; want 1 and 1", n, p.count(pool.EventRefused))
	}
	if text := log.text(); strings.Count(text, "ERROR") != 1 {
		t.Errorf("the log says\n%s", text)
	}
	if _, err := p.sign(t.Context(), k, digest, opts); err != nil {
		t.Errorf("the worker that is logged in: %v", err)
	}

	if err := os.WriteFile(tc.PIN.File, []byte(token.PIN), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.Reset(tc.Name, tc.PIN, false); err != nil {
		t.Fatal(err)
	}
	p.waitAll()
	if n := m.Calls(t, "C_Login") - logins; n != 3 {
		t.Errorf("%d logins after Reset; want 3", n)
	}
}

func TestWaitReadyFailsAtOnce(t *testing.T) {
	token := softhsm.New(t)
	for name, test := range map[string]struct {
		change func(*pool.Config)
		want   error
	}{
		"wrong PIN":      {func(c *pool.Config) { c.Tokens[0].PIN.File = writeFile(t, "pin", "wrong") }, hsm.ErrPINIncorrect},
		"no PIN file":    {func(c *pool.Config) { c.Tokens[0].PIN.File = "/nowhere/pin" }, hsm.ErrPINSource},
		"no module":      {func(c *pool.Config) { c.Tokens[0].HSM.Module = "/nowhere/module.so" }, hsm.ErrModule},
		"no token":       {func(c *pool.Config) { c.Tokens[0].HSM.Label = "another" }, hsm.ErrTokenNotFound},
		"no such worker": {func(c *pool.Config) { c.Command = []string{"/proc/self/exe", "-test.run=^$"} }, pool.ErrDied},
		"no program":     {func(c *pool.Config) { c.Command = []string{"/nowhere/assertd"} }, os.ErrNotExist},
		"no answer": {func(c *pool.Config) {
			c.Command, c.StartTimeout = []string{"/bin/sleep", "60"}, 100*time.Millisecond
		}, pool.ErrStart},
		"no protocol": {func(c *pool.Config) { c.Command = []string{"/bin/sh", "-c", "cat /dev/zero >&3"} }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := config(tokenConfig(token))
			test.change(&c)
			p := run(t, c)
			err := p.WaitReady(within(t, 10*time.Second))
			if err == nil || (test.want != nil && !errors.Is(err, test.want)) || errors.Is(err, t.Context().Err()) && t.Context().Err() != nil {
				t.Errorf("got %v; want %v", err, test.want)
			}
			eventually(t, 5*time.Second, "an event reports it", func() bool {
				return p.count(pool.EventFailed)+p.count(pool.EventRefused) > 0
			})
		})
	}
}

// A PIN that a person typed goes over the socket and works at every restart.
func TestPINByValue(t *testing.T) {
	token := softhsm.New(t)
	c := config(tokenConfig(token))
	c.Tokens[0].PIN = hsm.PINSource{Value: hsm.NewPIN([]byte(token.PIN))}
	runReady(t, c)
}

// A PIN that was typed is the same at every reload, and must not be tried at
// each of them until the token locks.
func TestRefusedValueIsNotTriedAgain(t *testing.T) {
	token, m := softhsm.New(t), faulty.Build(t)
	c := config(faultyConfig(token, m))
	typed, log := hsm.PINSource{Value: hsm.NewPIN([]byte("not-the-pin"))}, &lines{}
	c.Tokens[0].PIN, c.Logger = typed, log
	p := run(t, c)
	if err := p.WaitReady(within(t, 10*time.Second)); !errors.Is(err, hsm.ErrPINIncorrect) {
		t.Fatal(err)
	}
	for range 3 {
		if err := p.Reset(token.Label, typed, false); !errors.Is(err, hsm.ErrPINIncorrect) || !strings.Contains(err.Error(), "restart the daemon") {
			t.Errorf("the same PIN: %v", err)
		}
	}
	if n := m.Calls(t, "C_Login"); n != 1 {
		t.Errorf("%d logins; want 1", n)
	}
	// The pool logs after it has told those who wait.
	eventually(t, 10*time.Second, "the log says what to do", func() bool {
		return strings.Contains(log.text(), "then restart the daemon")
	})
	if text := log.text(); strings.Count(text, "ERROR hsm worker: refused") != 1 {
		t.Errorf("the log says\n%s", text)
	}
	if err := p.Reset(token.Label, hsm.PINSource{Value: hsm.NewPIN([]byte(token.PIN))}, false); err != nil {
		t.Error(err)
	}
	if err := p.WaitReady(within(t, 10*time.Second)); err != nil {
		t.Errorf("another PIN: %v", err)
	}
	p.waitAll()
	if n := m.Calls(t, "C_Login"); n != 1+uint64(len(p.Status())) {
		t.Errorf("%d logins by %d workers and one refusal", n, len(p.Status()))
	}
}

func TestSlowTokenDelaysNoOther(t *testing.T) {
	token, m := softhsm.New(t), faulty.Build(t)
	quick := token.Add("quick")
	k := prepare(t, quick, hsm.P256)
	digest, opts := digestOf(k, "text")
	m.Set(t, "C_Login", faulty.Fault{Action: faulty.Hang})
	slow := faultyConfig(token, m)
	c := config(slow, tokenConfig(quick))
	c.StartTimeout = 20 * time.Second
	began := time.Now()
	p := run(t, c)
	if err := p.WaitReady(within(t, 10*time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.sign(t.Context(), k, digest, opts); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the quick token was ready after %v", took)
	}
	if _, err := p.Sign(t.Context(), "", wire.KeyRef{1}, digest, opts, nil); !errors.Is(err, pool.ErrUnavailable) {
		t.Errorf("a key that may be on the token that isn't open yet: %v", err)
	}
}

// SoftHSM's files are unreadable for a moment while another process logs in.
func TestTornReadAtStartIsRetried(t *testing.T) {
	token, m := softhsm.New(t), faulty.Build(t)
	const generalError = 0x05
	m.Set(t, "C_GetSlotList", faulty.Fault{Action: faulty.Return, Code: generalError, Limit: 1})
	p := runReady(t, config(faultyConfig(token, m)))
	if n := p.count(pool.EventFailed); n != 0 || m.Fired(t, "C_GetSlotList") != 1 {
		t.Errorf("%d starts failed", n)
	}
}

// A module that hangs in a new worker's first signature gets the timeout of a
// signature, not that of the whole start.
func TestHangInTheFirstSignature(t *testing.T) {
	token, m := softhsm.New(t), faulty.Build(t)
	k := prepare(t, token, hsm.P256)
	c := config(faultyConfig(token, m))
	c.Workers, c.Probe, c.Timeout = 1, time.Minute, 500*time.Millisecond
	m.Set(t, "C_Sign", faulty.Fault{Action: faulty.Hang, Limit: 2})
	p := run(t, c, k)
	if err := p.WaitReady(within(t, pool.DefaultStartTimeout/2)); !errors.Is(err, pool.ErrStart) {
		t.Errorf("got %v; want %v", err, pool.ErrStart)
	}
	eventually(t, pool.DefaultStartTimeout/2, "the worker is ready", func() bool { return ready(p, token.Label) == 1 })
	if n := m.Fired(t, "C_Sign"); n != 2 {
		t.Errorf("it hung %d times", n)
	}

	m.Set(t, "C_Sign", faulty.Fault{Action: faulty.Hang})
	c.Timeout = time.Minute
	p = run(t, c, k)
	eventually(t, 10*time.Second, "a worker hangs", func() bool { return m.Fired(t, "C_Sign") > 0 })
	began := time.Now()
	if p.stop(); time.Since(began) > 10*time.Second {
		t.Errorf("the pool took %v to stop", time.Since(began))
	}
}

// SoftHSM rewrites the token's file at every login, and loses the token if it
// is killed while it does.
func TestLoginIsNeverKilled(t *testing.T) {
	token, m := softhsm.New(t), faulty.Build(t)
	m.Set(t, "C_Login", faulty.Fault{Action: faulty.Delay, Wait: 500 * time.Millisecond})
	c := config(faultyConfig(token, m))
	c.Workers = 1
	p := run(t, c)
	eventually(t, 10*time.Second, "a worker logs in", func() bool { return m.Calls(t, "C_Login") == 1 })
	if n := m.Calls(t, "C_FindObjects"); n != 0 {
		t.Fatalf("the login is already over: %d searches", n)
	}
	p.stop()
	if n := m.Calls(t, "C_FindObjects"); n == 0 {
		t.Error("the worker was killed during its login")
	}
}
