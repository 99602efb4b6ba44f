package chaos

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
)

// Names of the two tokens. Each has a key set, a client and a socket of its
// name.
const (
	steady = "steady"
	shaky  = "shaky"
)

// workers is how many workers a token has.
const workers = 2

// patience is how long to wait for what should take a moment: the machine may
// be busy.
const patience = time.Minute

// site is a daemon with two tokens and a disk of its own.
type site struct {
	t             testing.TB
	dir           string
	binary        string
	steady, shaky token
	module        *faulty.Module // through which shaky is opened
	disk          *disk
	operator      *client.Operator
	caller        *client.Client // of steady
	daemon        *exec.Cmd
}

// token is a SoftHSM token and the file with its PIN.
type token struct {
	*softhsm.Token
	pin string
}

func newToken(t testing.TB) token {
	t.Helper()
	k := softhsm.New(t)
	return token{k, k.PINFile()}
}

// newSite makes the tokens, the disk and the configuration, and generates the
// keys.
func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), steady: newToken(t), shaky: newToken(t), module: faulty.Build(t)}
	s.binary = s.path("assertd")
	s.command("go", "build", "-o", s.binary, "github.com/assertd/assertd/cmd/assertd")
	s.disk = newDisk(t, s.path("disk"))
	check(t, s.configure(s.configurationFor("", 2)))
	for _, name := range []string{steady, shaky} {
		s.command(s.binary, "key", "generate", name, "--on", name, "--config", s.path("assertd.yaml"))
	}
	check(t, s.configure(s.configuration("")))
	var err error
	s.operator, err = client.NewOperator(s.path("operator.sock"))
	check(t, err)
	t.Cleanup(s.operator.Close)
	s.caller, err = client.New(s.path(steady + ".sock"))
	check(t, err)
	t.Cleanup(s.caller.Close)
	return s
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

func (s *site) command(name string, args ...string) {
	s.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		s.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// serve starts the daemon and waits until all its workers are ready. It ends
// with the test, however that ends.
func (s *site) serve() {
	s.t.Helper()
	log, err := os.Create(s.path("log"))
	check(s.t, err)
	defer log.Close()
	s.daemon = exec.Command(s.binary, "serve", "--config", s.path("assertd.yaml"))
	s.daemon.Stderr = log
	// In a process group of its own, it does not get the Ctrl-C that ends the run.
	s.daemon.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	check(s.t, s.daemon.Start())
	s.t.Cleanup(s.kill)
	s.eventually("the daemon and its workers are ready", s.allReady)
}

// stop ends the daemon in order.
func (s *site) stop() {
	s.t.Helper()
	check(s.t, s.daemon.Process.Signal(syscall.SIGTERM))
	late := time.AfterFunc(patience, func() { _ = s.daemon.Process.Kill() })
	defer late.Stop()
	if err := s.daemon.Wait(); err != nil {
		s.t.Errorf("the daemon exited with %v", err)
	}
}

// kill ends a daemon that a failed test left, and shows the end of its log.
func (s *site) kill() {
	if s.daemon.ProcessState == nil {
		_ = s.daemon.Process.Kill()
		_ = s.daemon.Wait()
	}
	if text, err := os.ReadFile(s.path("log")); err == nil && s.t.Failed() {
		const most = 4 << 10
		s.t.Logf("the end of the daemon's log:\n%s", strings.ToValidUTF8(string(text[max(0, len(text)-most):]), ""))
	}
}

// eventually waits until done is true.
func (s *site) eventually(what string, done func() bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("timed out after %v: %s", patience, what)
		}
	}
}

// configure replaces the daemon's configuration, as a person's editor would.
func (s *site) configure(text string) error {
	next := s.path("assertd.yaml.new")
	return errors.Join(os.WriteFile(next, []byte(text), 0o600), os.Rename(next, s.path("assertd.yaml")))
}
