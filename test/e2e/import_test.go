package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/youmark/pkcs8"

	"github.com/assertd/assertd/internal/dev"
)

// TestImportKey puts a key from a file into the token, with the refusals and
// warnings that this takes.
func TestImportKey(t *testing.T) {
	s := newSite(t)
	s.configure("keys:\n", "keys:\n  apple: {alg: ES256, use: assertion}\n")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	der, err := pkcs8.MarshalPrivateKey(key, []byte("correct horse"), nil)
	check(t, err)
	dir := t.TempDir()
	file, passphrase, fifo := filepath.Join(dir, "AuthKey.p8"), filepath.Join(dir, "passphrase"), filepath.Join(dir, "fifo")
	check(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der}), 0o644))
	check(t, os.WriteFile(passphrase, []byte("correct horse\n"), 0o600))
	check(t, syscall.Mkfifo(fifo, 0o600))
	importing := func(path string) (string, error) {
		return s.try("key", "import", path, "--as", "apple", "--passphrase-file", passphrase, "--config", s.layout.Config)
	}
	refused := func(path, says string) {
		t.Helper()
		if out, err := importing(path); err == nil || !strings.Contains(out, says) {
			t.Errorf("%v: %s", err, out)
		}
	}
	refused(fifo, "isn't a regular file")
	refused(file, "chmod 600")
	check(t, os.Chmod(file, 0o600))
	refused(file, "keys.apple.accept: imported")
	s.configure("apple: {alg: ES256,", "apple: {alg: ES256, accept: imported,")
	check(t, os.WriteFile(passphrase, []byte("wrong\n"), 0o600))
	refused(file, "passphrase")
	check(t, os.WriteFile(passphrase, []byte("correct horse\n"), 0o600))
	out, err := importing(file)
	if err != nil || !strings.Contains(out, "custody  imported") || !strings.Contains(out, "shred -u") || !strings.Contains(out, "signing") {
		t.Fatalf("%v: %s", err, out)
	}
	refused(file, "already on the token")
	list := s.assertd("key", "list", "--config", s.layout.Config)
	if !strings.Contains(list, "imported") {
		t.Errorf("the list says\n%s", list)
	}
	s.assertd("check", "--config", s.layout.Config)
}

// foreignKey makes a key as another tool would.
func (s *site) foreignKey(args ...string) {
	s.t.Helper()
	command := exec.Command(filepath.Join(binaries, "foreignkey"), append(args, "-token", dev.TokenLabel, "-pin-file", s.layout.PIN)...)
	command.Env = append(os.Environ(), "SOFTHSM2_CONF="+s.layout.SoftHSMConf)
	if out, err := command.CombinedOutput(); err != nil {
		s.t.Fatalf("foreignkey %v: %v: %s", args, err, out)
	}
}

// TestTightenKey makes a key that another tool left extractable pass custody.
func TestTightenKey(t *testing.T) {
	s := newSite(t)
	s.foreignKey("-extractable", "-label", "legacy")
	adopt := []string{"key", "adopt", "old", "--label", "legacy", "--config", s.layout.Config}
	if out, err := s.try(adopt...); err == nil || !strings.Contains(out, "assertd key tighten") {
		t.Errorf("adopting it as it is: %v: %s", err, out)
	}
	shown := s.assertd("key", "show", "legacy", "--config", s.layout.Config)
	_, rest, _ := strings.Cut(shown, "kid")
	kid := strings.Fields(rest)[0]
	if out, err := s.try("key", "tighten", "legacy", "--yes-tighten", "another", "--config", s.layout.Config); err == nil {
		t.Errorf("without its kid: %s", out)
	}
	if out := s.assertd("key", "tighten", "legacy", "--yes-tighten", kid, "--config", s.layout.Config); !strings.Contains(out, "custody  imported") {
		t.Errorf("%s", out)
	}
	if out := s.assertd(adopt...); !strings.Contains(out, "accept: imported") {
		t.Errorf("%s", out)
	}
	if out := s.assertd("key", "tighten", "legacy", "--config", s.layout.Config); !strings.Contains(out, "nothing to tighten") {
		t.Errorf("again: %s", out)
	}
}
