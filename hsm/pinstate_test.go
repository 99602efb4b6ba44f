package hsm_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
)

// counting is a token that locks after three wrong PINs.
func counting(t *testing.T) (*softhsm.Token, *faulty.Module, hsm.Config) {
	soft, module := softhsm.New(t), faulty.Build(t)
	for name, value := range module.Environment() {
		t.Setenv(name, value)
	}
	module.CountPINs(3)
	return soft, module, hsm.Config{Module: module.Path(), Label: soft.Label}
}

// openAndClose tries a PIN and returns the state that the token was in before.
func openAndClose(t *testing.T, cfg hsm.Config, pin string) (hsm.PINState, error) {
	t.Helper()
	token, err := hsm.Open(cfg, hsm.NewPIN([]byte(pin)))
	if err != nil {
		return "", err
	}
	state, err := token.PINState(t.Context())
	if err != nil || state != hsm.PINOK {
		t.Errorf("state after a login: %q, %v", state, err)
	}
	return token.Info().PIN, token.Close()
}

// The last attempt before a token locks is a person's to make.
func TestFinalTryIsNotMade(t *testing.T) {
	soft, module, cfg := counting(t)
	for _, says := range []string{"tried once", "one more wrong PIN locks the token"} {
		if _, err := openAndClose(t, cfg, "wrong-pin"); !errors.Is(err, hsm.ErrPINIncorrect) || !strings.Contains(err.Error(), says) {
			t.Errorf("a wrong PIN: %v; want %q", err, says)
		}
	}
	logins := module.Calls(t, "C_Login")
	for _, pin := range []string{"wrong-pin", soft.PIN} {
		_, err := openAndClose(t, cfg, pin)
		if !errors.Is(err, hsm.ErrPINFinalTry) || !hsm.IsFatal(err) || !strings.Contains(err.Error(), "--retry-pin") {
			t.Errorf("at the final try: %v", err)
		}
	}
	if n := module.Calls(t, "C_Login") - logins; n != 0 || module.WrongPINs() != 2 {
		t.Errorf("%d logins at the final try", n)
	}
	cfg.RetryPIN = true
	if before, err := openAndClose(t, cfg, soft.PIN); err != nil || before != hsm.PINFinalTry {
		t.Errorf("with RetryPIN: %q, %v", before, err)
	}
	cfg.RetryPIN = false
	if before, err := openAndClose(t, cfg, soft.PIN); err != nil || before != hsm.PINOK {
		t.Errorf("after a login: %q, %v", before, err)
	}
}

func TestLockedPINIsNotTried(t *testing.T) {
	soft, module, cfg := counting(t)
	cfg.RetryPIN = true
	module.SetWrongPINs(2)
	if _, err := openAndClose(t, cfg, "wrong-pin"); !errors.Is(err, hsm.ErrPINIncorrect) || !strings.Contains(err.Error(), "now locked") {
		t.Errorf("the attempt that locks: %v", err)
	}
	logins := module.Calls(t, "C_Login")
	if _, err := openAndClose(t, cfg, soft.PIN); !errors.Is(err, hsm.ErrPINLocked) {
		t.Errorf("a locked token: %v", err)
	}
	if n := module.Calls(t, "C_Login") - logins; n != 0 {
		t.Errorf("%d logins at a locked token", n)
	}
}

// SoftHSM reports a wrong PIN by one flag, and never locks.
func TestSoftHSMReportsAWrongPIN(t *testing.T) {
	soft := softhsm.New(t)
	cfg := hsm.Config{Module: soft.Module, Label: soft.Label}
	for range 4 {
		if _, err := openAndClose(t, cfg, "wrong-pin"); !errors.Is(err, hsm.ErrPINIncorrect) {
			t.Fatal(err)
		}
	}
	for _, want := range []hsm.PINState{hsm.PINCountLow, hsm.PINOK} {
		if before, err := openAndClose(t, cfg, soft.PIN); err != nil || before != want {
			t.Errorf("opened in state %q, %v; want %q", before, err, want)
		}
	}
}

// A program that enters wrong PINs is noticed by one that is logged in.
func TestWrongPINsOfOthersShow(t *testing.T) {
	soft, module, cfg := counting(t)
	token, err := hsm.Open(cfg, hsm.NewPIN([]byte(soft.PIN)))
	if err != nil {
		t.Fatal(err)
	}
	defer token.Close()
	for wrong, want := range hsm.PINStates() {
		module.SetWrongPINs(wrong)
		if state, err := token.PINState(t.Context()); err != nil || state != want {
			t.Errorf("after %d wrong PINs: %q, %v; want %q", wrong, state, err, want)
		}
	}
}

func TestPINDigest(t *testing.T) {
	key, other := hsm.NewDigestKey(), hsm.NewDigestKey()
	pin, same, different := hsm.NewPIN([]byte("1234")), hsm.NewPIN([]byte("1234")), hsm.NewPIN([]byte("1235"))
	if pin.Digest(key) != same.Digest(key) {
		t.Error("the same PIN has two digests")
	}
	if pin.Digest(key) == different.Digest(key) || pin.Digest(key) == pin.Digest(other) {
		t.Error("another PIN or key gives the same digest")
	}
}

// SoftHSM rewrites the token's file at each login: a process that reads it at
// that moment finds no token, or one without a PIN.
func TestOpenRetryingDuringLoginsOfOthers(t *testing.T) {
	soft := softhsm.New(t)
	logInRepeatedly(t, soft)
	cfg := hsm.Config{Module: soft.Module, Label: soft.Label, Sessions: 1}
	for deadline := time.Now().Add(4 * time.Second); time.Now().Before(deadline); {
		token, err := hsm.OpenRetrying(t.Context(), cfg, hsm.NewPIN([]byte(soft.PIN)))
		if err != nil {
			t.Fatal(err)
		}
		_ = token.Close()
	}
}

// A token isn't gone because another process logs in to it.
func TestTokenStaysDuringLoginsOfOthers(t *testing.T) {
	soft := softhsm.New(t)
	token, err := hsm.Open(hsm.Config{Module: soft.Module, Label: soft.Label, Sessions: 1}, hsm.NewPIN([]byte(soft.PIN)))
	if err != nil {
		t.Fatal(err)
	}
	defer token.Close()
	logInRepeatedly(t, soft)
	for deadline := time.Now().Add(4 * time.Second); time.Now().Before(deadline); {
		if _, err := token.PINState(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// logInRepeatedly runs other processes that log in until the test ends.
func logInRepeatedly(t *testing.T, soft *softhsm.Token) {
	running := filepath.Join(t.TempDir(), "running")
	if err := os.WriteFile(running, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const script = `while test -e "$0"; do softhsm2-util --module "$1" --import /dev/null --token "$2" --pin "$3" --label x --id 01; done`
	logins := exec.Command("sh", "-c", script, running, soft.Module, soft.Label, soft.PIN)
	if err := logins.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(running); err != nil {
			t.Error(err)
		}
		_ = logins.Wait() // the last import fails
	})
}
