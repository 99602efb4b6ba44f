package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/test/modules"
)

// TestModules runs the daemon on PKCS#11 modules besides SoftHSM: keys are
// generated, assertions verify, and a killed worker is replaced.
func TestModules(t *testing.T) {
	for name, set := range map[string]func(testing.TB) *modules.Module{
		"p11-kit client": modules.P11KitClient, "p11-kit proxy": modules.P11KitProxy,
		"pkcs11-spy": modules.Spy, "tpm2-pkcs11": modules.TPM2,
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.useModule(set(t))
			for _, keys := range []string{"dev", "audit"} {
				s.assertd("key", "generate", keys, "--config", s.layout.Config)
			}
			s.verifier = s.checkpointVerifier()
			s.assertd("check", "--config", s.layout.Config)
			process := s.serve()
			s.assertionVerifies()
			l := s.newLoad(2)
			survivesItsWorkers(t, process.Process.Pid, l)
			s.assertionVerifies()
			check(t, process.Process.Signal(syscall.SIGTERM))
			check(t, process.Wait())
			l.end()
			s.recorded(l.jtis)
			if report := s.verify(); report.Checkpoints == 0 || report.Unverified != 0 {
				t.Errorf("checkpoints: %+v", report)
			}
		})
	}
}

// TestTokenThatHashesMessages runs the daemon on a token that signs no digest.
func TestTokenThatHashesMessages(t *testing.T) {
	s := newSite(t)
	s.lockable().OnlyHash()
	text, err := os.ReadFile(s.layout.Config)
	check(t, err)
	config := regexp.MustCompile(`(?m)^audit: .*`).ReplaceAllLiteralString(string(text), `audit: {file: "`+s.log+`"}`)
	config = regexp.MustCompile(`(?m)^.*\bdev-.*\n`).ReplaceAllString(config, "")
	config = strings.Replace(config, "  audit: {alg: ES256, use: raw}\n", "  hashing: {alg: PS256, use: assertion}\n", 1)
	config = strings.Replace(config, "key: dev\n", "key: hashing\n", 1)
	check(t, os.WriteFile(s.layout.Config, []byte(config), 0o600))
	s.assertd("key", "generate", "hashing", "--config", s.layout.Config)
	s.serve()
	s.assertionVerifies()
}

// useModule makes the site's daemon use another module, with two key sets that
// every token can hold.
func (s *site) useModule(m *modules.Module) {
	s.t.Helper()
	pin := filepath.Join(s.t.TempDir(), "pin")
	check(s.t, os.WriteFile(pin, []byte(m.PIN+"\n"), 0o600))
	var environment []string
	for name, value := range m.Environment {
		environment = append(environment, fmt.Sprintf("%s: %q", name, value))
	}
	text, err := os.ReadFile(s.layout.Config)
	check(s.t, err)
	_, rest, found := strings.Cut(string(text), "\nkeys:")
	if !found {
		s.t.Fatalf("no keys in %s", text)
	}
	rest = regexp.MustCompile(`(?m)^.*\bdev-.*\n`).ReplaceAllString(rest, "")
	hsm := fmt.Sprintf("hsm:\n  module: %s\n  token: {label: %s}\n  pin: {file: %s}\n  environment: {%s}\n  workers: 1\n  timeout: 10s\n",
		m.Path, m.Label, pin, strings.Join(environment, ", "))
	sandbox := "\nsandbox: {network: unix, write: [" + strings.Join(m.Write, ", ") + "]}\n"
	check(s.t, os.WriteFile(s.layout.Config, []byte(hsm+"\nkeys:"+rest+sandbox), 0o600))
}

// assertionVerifies asks for an assertion and verifies it with go-jose.
func (s *site) assertionVerifies() {
	s.t.Helper()
	c, err := client.New(s.layout.Socket)
	check(s.t, err)
	defer c.Close()
	answer, err := c.Assert(s.t.Context(), ipc.AssertionRequest{})
	check(s.t, err)
	check(s.t, verify(answer.Assertion, []byte(s.assertd("jwks", "--config", s.layout.Config)), time.Now()))
}

// survivesItsWorkers kills the daemon's worker under load.
func survivesItsWorkers(t *testing.T, daemon int, l *load) {
	t.Helper()
	eventually(t, "assertions", func() bool { return l.released.Load() > 20 })
	workers := childrenThat(t, daemon, "hsm-worker")
	signalAll(t, workers, syscall.SIGKILL)
	before := l.released.Load()
	eventually(t, "assertions by another worker", func() bool { return l.released.Load() > before+20 })
	for _, now := range childrenThat(t, daemon, "hsm-worker") {
		for _, killed := range workers {
			if now == killed {
				t.Errorf("worker %d was not replaced", now)
			}
		}
	}
}
