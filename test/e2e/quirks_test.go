package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
)

// TestQuirksAreTold shows which quirks of a module apply and what they mean, in
// check and key list, before and after there are keys.
func TestQuirksAreTold(t *testing.T) {
	s := newSite(t)
	s.lockable().Imitate(faulty.CloudHSM)
	s.configure("keys:\n", "keys:\n  empty: {alg: ES256, use: assertion}\n")
	text, err := s.try("check", "--config", s.layout.Config) // there is no key for the empty set
	if err == nil || !strings.Contains(text, "AWS CloudHSM, quirk no-sign-recover: ") {
		t.Errorf("check with an empty key set: %v: %s", err, text)
	}
	s.assertd("key", "generate", "empty", "--config", s.layout.Config)
	accepted := regexp.MustCompile(`"?empty/\w+"? is accepted although CKA_SIGN_RECOVER is unknown \(no-sign-recover\)`)
	for _, command := range [][]string{{"check"}, {"key", "list"}} {
		text := s.assertd(append(command, "--config", s.layout.Config)...)
		if !strings.Contains(text, "AWS CloudHSM, quirk no-sign-recover: ") || !accepted.MatchString(text) {
			t.Errorf("%v: %s", command, text)
		}
	}
	var list struct {
		Token struct{ Module hsm.ModuleInfo }
	}
	if err := json.Unmarshal([]byte(s.assertd("key", "list", "--json", "--config", s.layout.Config)), &list); err != nil || list.Token.Module.Provider != "AWS CloudHSM" {
		t.Errorf("the module in JSON: %+v, %v", list, err)
	}
	s.serve()
	s.assertionVerifies()
}

// TestImportedKeysNeedConsent uses a key that was outside the HSM only if its
// key set accepts that.
func TestImportedKeysNeedConsent(t *testing.T) {
	s := newSite(t)
	s.lockable().Imitate(faulty.NSS) // whose keys all look imported
	text, err := s.try("check", "--config", s.layout.Config)
	if err == nil || !strings.Contains(text, "keys.dev.accept: imported") {
		t.Errorf("without consent: %v: %s", err, text)
	}
	config, err := os.ReadFile(s.layout.Config)
	check(t, err)
	accepting := regexp.MustCompile(`(?m)^(  [\w-]+: \{alg: \w+), `).ReplaceAll(config, []byte("$1, accept: imported, "))
	check(t, os.WriteFile(s.layout.Config, accepting, 0o600))
	s.assertd("check", "--config", s.layout.Config)
	s.serve()
	s.assertionVerifies()
}

// try runs assertd and returns its output and how it failed.
func (s *site) try(args ...string) (string, error) {
	s.t.Helper()
	out, err := exec.Command(filepath.Join(binaries, "assertd"), args...).CombinedOutput()
	return string(out), err
}
