package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/pkcs11"

	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
)

// A key that failed its proof, and that the process that generated it can't
// destroy, is destroyed by a new process. If the token refuses that too, the
// key is named.
func TestKeyGenerateLeavesNoFailedKey(t *testing.T) {
	token, module := softhsm.New(t), faulty.Build(t)
	key := func(args ...string) (string, error) {
		return keyCommand(token, module, append(args, "--pin-file", token.PINFile())...)
	}
	refuse := faulty.Fault{Action: faulty.Return, Code: pkcs11.CKR_GENERAL_ERROR}

	module.Set(t, "C_Sign", faulty.Fault{Action: faulty.Corrupt})
	refuse.Limit = 3 // as often as the process tries
	module.Set(t, "C_DestroyObject", refuse)
	if out, err := key("generate", "dev", "--alg", "ES256"); err == nil || !strings.Contains(out, "the key pair was destroyed") {
		t.Errorf("generate: %v: %s", err, out)
	}
	if out, err := key("list"); err != nil || strings.Contains(out, "dev") {
		t.Errorf("list: %v: %s", err, out)
	}

	refuse.Limit = 0
	module.Set(t, "C_DestroyObject", refuse)
	out, err := key("generate", "dev", "--alg", "ES256")
	if err == nil || !strings.Contains(out, "failed proof, dev ") || !strings.Contains(out, "could not destroy it either") {
		t.Errorf("generate: %v: %s", err, out)
	}
	t.Log(out)
	out, err = key("list")
	if err != nil || strings.Contains(out, "signing") || strings.Contains(out, "published") {
		t.Errorf("list: %v: %s", err, out)
	}
	t.Log(out)
}

// keyCommand runs a command of assertd key without a configuration. It returns
// what the command printed.
func keyCommand(token *softhsm.Token, module *faulty.Module, args ...string) (string, error) {
	args = append([]string{"key"}, append(args, "--module", module.Path(), "--token", token.Label)...)
	command := exec.Command(filepath.Join(binaries, "assertd"), args...)
	command.Env = os.Environ()
	for _, environment := range []map[string]string{token.Environment(), module.Environment()} {
		for name, value := range environment {
			command.Env = append(command.Env, name+"="+value)
		}
	}
	out, err := command.CombinedOutput()
	return string(out), err
}
