package modules

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/assertd/assertd/hsm"
)

// The token inside the namespaces, and the variables that carry it there.
const (
	labelVariable = "TOKEN_LABEL"
	pinVariable   = "TOKEN_PIN"
)

// Opencryptoki is opencryptoki's soft token. Its directories are fixed, so the
// calling test is run once more in namespaces of its own, where this returns
// the token. Elsewhere it returns nil: the test has nothing more to do.
//
// Namespaces take root. For others it logs what isn't tested.
func Opencryptoki(t testing.TB, pattern string) *Module {
	t.Helper()
	if label := os.Getenv(labelVariable); label != "" {
		return &Module{
			Path: library(t, "libopencryptoki.so", "opencryptoki"), Label: label, PIN: os.Getenv(pinVariable),
			Types: []hsm.KeyType{hsm.RSA2048, hsm.RSA3072, hsm.RSA4096},
			Lacks: []hsm.KeyType{hsm.P256, hsm.P384, hsm.P521, hsm.Ed25519},
			Signs: 1000,
		}
	}
	command := exec.CommandContext(t.Context(), "./opencryptoki.sh", shortDir(t), os.Args[0], "-test.v", "-test.run="+pattern)
	command.Env = append(os.Environ(), labelVariable+"=ock", pinVariable+"=12341234")
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWIPC}
	switch out, err := command.CombinedOutput(); {
	case errors.Is(err, os.ErrPermission):
		t.Logf("opencryptoki isn't tested, since this user can't make namespaces: %v", err)
	case err != nil:
		t.Errorf("in namespaces: %v\n%s", err, out)
	}
	return nil
}
