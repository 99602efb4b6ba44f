package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Root checks a token whose files belong to the daemon's user: with --user its
// module runs as that user, and without, the error says so.
func TestRootReadsTheTokenOfTheDaemonsUser(t *testing.T) {
	s := newSite(t)
	commands := [][]string{{"check"}, {"jwks"}, {"audit", "key"}}
	if os.Geteuid() != 0 {
		for _, command := range commands {
			s.assertd(append(command, "--config", s.layout.Config)...)
		}
		return
	}
	(&hostile{site: s}).give(nobody, s.layout.Tokens)
	check(t, os.Chmod(s.layout.Tokens, 0o700))
	check(t, os.Chmod(s.layout.SoftHSMConf, 0o644))
	for _, command := range commands {
		command = append(command, "--config", s.layout.Config)
		out, err := exec.CommandContext(t.Context(), filepath.Join(binaries, "assertd"), command...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "name its user with --user") {
			t.Errorf("%v without --user: %v: %s", command, err, out)
		}
		if out := s.assertd(append(command, "--user", "nobody")...); out == "" {
			t.Errorf("%v: no output", command)
		}
	}
}
