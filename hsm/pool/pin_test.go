package pool_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/pool"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
	"github.com/miekg/pkcs11"
)

// lockable is a pool with two workers on a token that locks after three wrong
// PINs.
type lockable struct {
	*running
	soft   *softhsm.Token
	module *faulty.Module
	config pool.TokenConfig
	log    *lines
}

// runLockable runs it after some wrong PINs. An empty PIN stands for the right
// one.
func runLockable(t *testing.T, pin string, wrong int) *lockable {
	l := &lockable{soft: softhsm.New(t), module: faulty.Build(t), log: &lines{}}
	l.module.CountPINs(3)
	l.module.SetWrongPINs(wrong)
	l.config = faultyConfig(l.soft, l.module)
	c := config(l.config)
	c.Logger, c.LockedPause = l.log, 50*time.Millisecond
	if pin != "" {
		l.config.PIN.File = writeFile(t, "pin", pin)
		c.Tokens[0].PIN = l.config.PIN
	}
	l.running = run(t, c)
	return l
}

// write changes the PIN in its file.
func (l *lockable) write(pin string) {
	l.t.Helper()
	if err := os.WriteFile(l.config.PIN.File, []byte(pin), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

// reload is a Reset, and waits until the PIN was judged again.
func (l *lockable) reload(retry bool) {
	l.t.Helper()
	failed := l.count(pool.EventFailed) + l.count(pool.EventRefused)
	ready := l.count(pool.EventReady)
	if err := l.Reset(l.config.Name, l.config.PIN, retry); err != nil {
		l.t.Fatal(err)
	}
	eventually(l.t, 20*time.Second, "a start ends", func() bool {
		return l.count(pool.EventFailed)+l.count(pool.EventRefused) > failed || l.count(pool.EventReady) > ready
	})
}

// expect compares the state of the PIN and the token's count of wrong ones.
func (l *lockable) expect(when, state string, wrong int) {
	l.t.Helper()
	// Another worker's start may end after the one that reload waited for.
	eventually(l.t, 20*time.Second, when+": the PIN is shown as "+state, func() bool {
		got := l.Tokens()[0].PIN
		return got.State == state && (got.Remedy == "") == (state == ipc.PINOK)
	})
	if n := l.module.WrongPINs(); n != wrong {
		l.t.Errorf("%s: the token counts %d wrong PINs; want %d", when, n, wrong)
	}
}

// Reloads don't lock a token: a PIN that was refused is tried again only if the
// source gives another one.
func TestReloadsDoNotRepeatARefusedPIN(t *testing.T) {
	l := runLockable(t, "wrong-1", 0)
	if err := l.WaitReady(within(t, 20*time.Second)); !errors.Is(err, hsm.ErrPINIncorrect) {
		t.Fatal(err)
	}
	if !l.Refused() {
		t.Error("the only token refused its PIN, and the pool denies it")
	}
	l.expect("at the start", ipc.PINRefused, 1)
	for range 5 {
		l.reload(false)
	}
	l.expect("after reloads", ipc.PINRefused, 1)
	eventually(t, 10*time.Second, "the log says why", func() bool {
		return strings.Contains(l.log.text(), "has not changed, so it wasn't tried again")
	})
	l.write("wrong-2")
	l.reload(false)
	l.expect("another wrong PIN", ipc.PINRefused, 2)
	l.write("wrong-1")
	l.reload(false)
	l.expect("the first wrong PIN again", ipc.PINRefused, 2)

	l.write(l.soft.PIN)
	l.reload(false)
	l.expect("the right PIN at the final try", ipc.PINFinalTry, 2)
	l.reload(true)
	l.waitAll()
	if err := l.Refresh(within(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	l.expect("logged in", ipc.PINOK, 0)
	for _, secret := range []string{"wrong-1", "wrong-2", l.soft.PIN} {
		if strings.Contains(l.log.text(), secret) {
			t.Errorf("the log has the PIN %q in it", secret)
		}
	}
}

// A request to retry is good for one attempt, and waits for a token that is
// away.
func TestRetryIsOneAttempt(t *testing.T) {
	l := runLockable(t, "wrong-1", 0)
	eventually(t, 20*time.Second, "the PIN is refused", func() bool { return l.count(pool.EventRefused) == 1 })
	l.reload(true)
	l.expect("asked to try", ipc.PINRefused, 2)
	l.reload(false)
	l.expect("reloaded", ipc.PINRefused, 2)
	l.write(l.soft.PIN)
	l.soft.Lose()
	l.reload(true)
	l.soft.Restore()
	l.waitAll()
}

// A TPM's lockout ends with time. Nobody needs to reload then.
func TestLockedPINIsTriedAgainByItself(t *testing.T) {
	l := runLockable(t, "", 3)
	eventually(t, 20*time.Second, "the token is seen to be locked", func() bool { return l.Tokens()[0].PIN.State == ipc.PINLocked })
	if status := l.Tokens()[0].PIN; status.RetryAt.IsZero() || l.Status()[0].State != ipc.WorkerRefused {
		t.Errorf("shown as %+v", status)
	}
	if l.Refused() {
		t.Error("nobody waits for a lockout to end")
	}
	l.module.SetWrongPINs(0)
	l.waitAll()
	l.expect("after the lockout", ipc.PINOK, 0)
	if n := l.count(pool.EventRefused); n != 1 {
		t.Errorf("%d events about one lockout; want 1", n)
	}
}

// Another program's wrong PINs are reported before they lock the token.
func TestWrongPINsOfOthersAreReported(t *testing.T) {
	l := runLockable(t, "", 1)
	l.waitAll()
	eventually(t, 20*time.Second, "the wrong PIN before the start is reported", func() bool { return l.count(pool.EventPIN) == 1 })
	for wrong, want := range []string{ipc.PINOK, ipc.PINCountLow, ipc.PINFinalTry} {
		l.module.SetWrongPINs(wrong)
		if err := l.Refresh(within(t, 20*time.Second)); err != nil {
			t.Fatal(err)
		}
		l.expect("logged in", want, wrong)
	}
	eventually(t, 10*time.Second, "each change is reported", func() bool { return l.count(pool.EventPIN) == 3 })
	eventually(t, 10*time.Second, "the log says what to do", func() bool {
		return strings.Contains(l.log.text(), "find out who enters wrong PINs")
	})
}

// A request to retry a PIN that the token takes isn't kept for a later start.
func TestRetryIsNotKept(t *testing.T) {
	l := runLockable(t, "", 0)
	l.waitAll()
	if err := l.Reset(l.config.Name, l.config.PIN, true); err != nil {
		t.Fatal(err)
	}
	l.module.SetWrongPINs(2)
	k := l.generate(hsm.P256)
	l.module.Set(t, "C_Sign", faulty.Fault{Action: faulty.Crash, Limit: 1})
	digest, opts := digestOf(k, "text")
	if _, err := l.sign(t.Context(), k, digest, opts); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "the final try is seen", func() bool { return l.Tokens()[0].PIN.State == ipc.PINFinalTry })
	if n := l.module.WrongPINs(); n != 2 {
		t.Errorf("the token counts %d wrong PINs; want 2", n)
	}
}

// A PIN that is entered on a pad can't be compared with the one before: a
// reload after a refusal asks for it again.
func TestPINPad(t *testing.T) {
	soft, module, log := softhsm.New(t), faulty.Build(t), &lines{}
	module.LogInBy(faulty.Pad, soft.PINFile())
	module.Set(t, "C_Login", faulty.Fault{Action: faulty.Return, Code: pkcs11.CKR_PIN_INCORRECT, Limit: 1})
	token := faultyConfig(soft, module)
	token.PIN = hsm.PINSource{Pad: true}
	c := config(token)
	c.Workers, c.Logger = 1, log
	r := run(t, c)
	eventually(t, 20*time.Second, "the PIN is refused", func() bool {
		pin := r.Tokens()[0].PIN
		return pin.State == ipc.PINRefused && strings.Contains(pin.Remedy, "pad")
	})
	if n := module.Calls(t, "C_Login"); n != 1 {
		t.Errorf("%d logins before the reload", n)
	}
	if err := r.Reset(token.Name, token.PIN, false); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "a worker is ready", func() bool { return r.count(pool.EventReady) > 0 })
	if n := strings.Count(log.text(), "enter the PIN on the token's pad"); n != 2 {
		t.Errorf("%d prompts; want 2", n)
	}
}
