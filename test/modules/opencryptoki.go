package modules

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// The token inside the namespaces, and the variables that carry it there.
const (
	labelVariable = "TOKEN_LABEL"
	pinVariable   = "TOKEN_PIN"
	// opencryptoki.sh says how the slot manager is started, and where its socket
	// is.
	managerVariable = "TOKEN_MANAGER"
	socketVariable  = "TOKEN_SOCKET"
)

// Opencryptoki is opencryptoki's soft token. Its directories are fixed, so the
// calling test is run once more, with the flags, in namespaces of its own,
// where this returns the token. Elsewhere it returns nil: the test has nothing
// more to do.
//
// Namespaces take root. For others it logs what isn't tested.
func Opencryptoki(t testing.TB, flags ...string) *Module {
	t.Helper()
	if label := os.Getenv(labelVariable); label != "" {
		m := &Module{
			Path: library(t, "libopencryptoki.so", "opencryptoki"), Label: label, PIN: os.Getenv(pinVariable),
			Write: []string{"/var/lib/opencryptoki", "/run", "/dev/shm"},
		}
		m.add(t, &daemon{socket: os.Getenv(socketVariable), command: strings.Fields(os.Getenv(managerVariable))})
		return m
	}
	command := exec.CommandContext(t.Context(), "./opencryptoki.sh", append([]string{shortDir(t), os.Args[0], "-test.v"}, flags...)...)
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
