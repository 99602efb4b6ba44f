// Package modules sets up PKCS#11 modules other than SoftHSM for tests: p11-kit
// and pkcs11-spy in front of a SoftHSM token, a simulated TPM, NSS's database
// and opencryptoki's soft token.
//
// Each has directories, sockets and daemons of its own, which end with the
// test. Tests fail if a program or module is missing: make test installs them.
package modules

import (
	"os"
	"path/filepath"
	"testing"
)

// Module is a module with a token in it.
type Module struct {
	Path        string
	Label       string
	PIN         string
	Environment map[string]string // what a process needs to use it
	Write       []string          // directories that it writes to
	// Network is the sandbox.network that it needs; "" means unix.
	Network string
	// Imported says that the token's own keys look imported too.
	Imported bool
	// Only are the algorithms that are tested, without checkpoints. nil means all.
	Only []string
	// Alone says that only one process at a time can use the module.
	Alone bool

	behind  string // SoftHSM's module, if this one is in front of it
	daemons []*daemon
}

// Setenv gives this process the module's environment until the test ends.
func (m *Module) Setenv(t testing.TB) {
	t.Helper()
	for name, value := range m.Environment {
		t.Setenv(name, value)
	}
}

// inFront describes a module that passes every call to a SoftHSM token.
func inFront(t testing.TB, path string) *Module {
	t.Helper()
	m := SoftHSM(t)
	m.Path, m.behind = path, m.Path
	return m
}

// library finds a module in the directories where distributions install it.
func library(t testing.TB, name, debianPackage string) string {
	t.Helper()
	for _, pattern := range []string{"/usr/lib/*/pkcs11/", "/usr/lib/*/", "/usr/lib64/pkcs11/", "/usr/lib64/", "/usr/lib/"} {
		if found, _ := filepath.Glob(pattern + name); len(found) > 0 {
			return found[0]
		}
	}
	t.Fatalf("no %s; install the package %s", name, debianPackage)
	return ""
}

// shortDir is a directory whose path leaves room for a socket's name: a socket
// has 107 bytes.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mod")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
