// Package modules sets up PKCS#11 modules other than SoftHSM for tests: p11-kit
// and pkcs11-spy in front of a SoftHSM token, a simulated TPM, and
// opencryptoki's soft token.
//
// Each has directories, sockets and daemons of its own, which end with the
// test. Tests fail if a program or module is missing: make test installs them.
package modules

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/test/softhsm"
)

// Module is a module with a token in it.
type Module struct {
	Path        string
	Label       string
	PIN         string
	Environment map[string]string // what a process needs to use it
	Write       []string          // directories that it writes to
	Types       []hsm.KeyType     // of which the token can make keys
	Lacks       []hsm.KeyType     // of which it refuses to
	// Unsigned lists algorithms that the token can't make although it has a key
	// of their type.
	Unsigned []string
	Signs    int // signatures that a test can ask for within a few seconds

	behind string // SoftHSM's module, if this one is in front of it
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
	soft := softhsm.New(t)
	return &Module{
		Path: path, Label: soft.Label, PIN: soft.PIN, Environment: soft.Environment(), Write: []string{soft.Dir},
		Types: hsm.KeyTypes(), Signs: 1000, behind: soft.Module,
	}
}

// library finds a module in the directories where distributions install it.
func library(t testing.TB, name, debianPackage string) string {
	t.Helper()
	for _, pattern := range []string{"/usr/lib/*/pkcs11/", "/usr/lib/*/", "/usr/lib64/pkcs11/", "/usr/lib64/"} {
		if found, _ := filepath.Glob(pattern + name); len(found) > 0 {
			return found[0]
		}
	}
	t.Fatalf("no %s; install the package %s", name, debianPackage)
	return ""
}

// daemon starts a process that ends with the test, and waits until it has made
// its socket.
func daemon(t testing.TB, socket string, command *exec.Cmd) {
	t.Helper()
	command.Stderr = t.Output()
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		<-ended
	})
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			return
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s ended: %v", command.Path, err)
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("%s made no socket %s within a minute", command.Path, socket)
		}
	}
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
