package e2e

import (
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/ipc"
)

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

// Such a token signs the checkpoints of the audit log too.
func TestTokenThatHashesMessagesSignsCheckpoints(t *testing.T) {
	s := newSite(t)
	s.lockable().OnlyHash()
	process := s.serve()
	s.assertionVerifies()
	check(t, process.Process.Signal(syscall.SIGTERM))
	check(t, process.Wait())
	if report := s.verify(); report.Checkpoints == 0 || report.Unverified != 0 {
		t.Errorf("checkpoints: %+v", report)
	}
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
