package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
)

// Commands with a wrong PIN don't lock a token that reports what is left.
func TestKeyCommandsDoNotLockTheToken(t *testing.T) {
	token, module := softhsm.New(t), faulty.Build(t)
	module.CountPINs(3)
	wrong := filepath.Join(t.TempDir(), "pin")
	check(t, os.WriteFile(wrong, []byte("wrong-pin\n"), 0o600))
	for attempt, says := range []string{"tried once", "one more wrong PIN locks the token", "--retry-pin", "--retry-pin"} {
		out, err := keyCommand(token, module, "list", "--pin-file", wrong)
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 4 || !strings.Contains(out, says) {
			t.Errorf("attempt %d: %v: %s", attempt+1, err, out)
		}
		if strings.Contains(out, "wrong-pin") {
			t.Errorf("the PIN was printed: %s", out)
		}
	}
	if n := module.WrongPINs(); n != 2 {
		t.Errorf("the token counts %d wrong PINs; want 2", n)
	}
	for _, says := range []string{"reported wrong PINs", ""} {
		out, err := keyCommand(token, module, "list", "--retry-pin", "--pin-file", token.PINFile())
		if err != nil || says != "" && !strings.Contains(out, says) || says == "" && strings.Contains(out, "warning") {
			t.Errorf("the right PIN: %v: %s", err, out)
		}
	}
}

// Three nights of logrotate and a deployment with many reloads are no attempts
// with a PIN that the token refused. The worker that is logged in signs on.
func TestReloadsDoNotLockTheToken(t *testing.T) {
	s := newSite(t)
	module := s.lockable()
	process := s.serve()
	s.awaitWorkers()
	right, err := os.ReadFile(s.layout.PIN)
	check(t, err)
	check(t, os.WriteFile(s.layout.PIN, []byte("wrong-pin"), 0o600))
	signalAll(t, childrenThat(t, process.Process.Pid, "hsm-worker")[:1], syscall.SIGKILL)
	s.awaitPIN(ipc.PINRefused, time.Time{})
	for range 3 {
		before := s.token().PIN.Since
		signalAll(t, []int{process.Process.Pid}, syscall.SIGUSR1)
		signalAll(t, []int{process.Process.Pid}, syscall.SIGHUP)
		s.awaitPIN(ipc.PINRefused, before)
	}
	if n := module.WrongPINs(); n != 1 {
		t.Errorf("the token counts %d wrong PINs; want 1", n)
	}
	l := s.newLoad(2)
	eventually(t, "assertions by the other worker", func() bool { return l.released.Load() > 20 })
	l.end()
	if warnings := s.ready().Warnings; !slices.Contains(warnings, ipc.WarningPINRefused) {
		t.Errorf("warnings %v", warnings)
	}

	check(t, os.WriteFile(s.layout.PIN, right, 0o600))
	signalAll(t, []int{process.Process.Pid}, syscall.SIGHUP)
	s.awaitPIN(ipc.PINOK, time.Time{})
	s.awaitWorkers()
	log, err := os.ReadFile(filepath.Join(s.layout.Dir, "log"))
	check(t, err)
	if strings.Contains(string(log), "wrong-pin") {
		t.Error("the log has the PIN in it")
	}
}

// A token that is locked at the start may unlock with time: the daemon waits
// for that, and an operator can see why it is not ready.
func TestDaemonWaitsForALockedToken(t *testing.T) {
	s := newSite(t)
	module := s.lockable()
	module.SetWrongPINs(3)
	process := s.launch((*exec.Cmd).Start)
	eventually(t, "the PIN is locked", func() bool {
		token, err := s.tokens()
		return err == nil && token[0].PIN.State == ipc.PINLocked && !token[0].PIN.RetryAt.IsZero()
	})
	module.SetWrongPINs(0)
	signalAll(t, []int{process.Process.Pid}, syscall.SIGHUP) // rather than wait for a minute
	s.awaitReady()
	s.awaitPIN(ipc.PINOK, time.Time{})
	s.awaitWorkers()
}

func (s *site) awaitWorkers() {
	s.t.Helper()
	eventually(s.t, "every worker is ready", func() bool {
		return !slices.ContainsFunc(s.token().Workers, func(w ipc.WorkerStatus) bool { return w.State != ipc.WorkerReady })
	})
}

// lockable makes the site's daemon use a token that locks after three wrong
// PINs.
func (s *site) lockable() *faulty.Module {
	s.t.Helper()
	module := faulty.Build(s.t)
	module.CountPINs(3)
	text, err := os.ReadFile(s.layout.Config)
	check(s.t, err)
	config := regexp.MustCompile(`(?m)^  module: .*`).ReplaceAllLiteralString(string(text), "  module: "+module.Path())
	for name, value := range module.Environment() {
		config = strings.Replace(config, "environment: {", "environment: {"+name+": "+value+", ", 1)
	}
	dir := filepath.Dir(module.Path())
	config += "\nsandbox: {read: [" + dir + "], write: [" + dir + "]}\n"
	check(s.t, os.WriteFile(s.layout.Config, []byte(config), 0o600))
	return module
}

// token is what the daemon shows operators about the token.
func (s *site) token() ipc.TokenStatus {
	s.t.Helper()
	tokens, err := s.tokens()
	check(s.t, err)
	return tokens[0]
}

// tokens fails while the daemon doesn't serve operators.
func (s *site) tokens() ([]ipc.TokenStatus, error) {
	status, err := s.status()
	return status.Tokens, err
}

// status fails while the daemon doesn't serve operators.
func (s *site) status() (ipc.StatusResponse, error) {
	o, err := client.NewOperator(s.layout.Operator)
	if err != nil {
		return ipc.StatusResponse{}, err
	}
	defer o.Close()
	return o.Status(s.t.Context())
}

// awaitPIN waits until the PIN is in the state, since a later time than before.
func (s *site) awaitPIN(state string, before time.Time) {
	s.t.Helper()
	eventually(s.t, "the PIN is "+state, func() bool {
		now := s.token().PIN
		return now.State == state && now.Since.After(before)
	})
}
