// Package faulty builds a PKCS#11 module that misbehaves on command, for tests of what a module may do to the processes that load it.
//
// The module wraps a real one (SoftHSM): it passes every call on and, where the test asked for it, hangs, crashes, waits, answers with an
// error of the test's choice or spoils a signature. Faults take effect at once in every process that has the module loaded, and calls are
// counted over all of them.
package faulty

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

//go:embed module/faulty.c
var source []byte

// modules are the places where distributions install SoftHSM.
var modules = []string{
	"/usr/lib/softhsm/libsofthsm2.so",
	"/usr/lib64/softhsm/libsofthsm2.so",
	"/usr/lib64/pkcs11/libsofthsm2.so",
	"/usr/local/lib/softhsm/libsofthsm2.so",
}

// Module is a built module and the table that steers it.
type Module struct {
	path, control, real string
	table               *table
}

// Build compiles the module with cc against the headers that github.com/miekg/pkcs11 ships. Whatever is missing fails the test: a test that
// can't have its faults shows nothing. The module and its table live until the test ends.
func Build(t testing.TB) *Module {
	t.Helper()
	dir := t.TempDir()
	m := &Module{path: filepath.Join(dir, "faulty.so"), control: filepath.Join(dir, "control"), real: softHSM(t)}
	var err error
	if m.table, err = createTable(m.control); err != nil {
		t.Fatalf("faulty: make the control file: %v", err)
	}
	t.Cleanup(m.table.close)
	compile(t, dir, m.path)
	return m
}

// Path is the module's file, for hsm.Config.Module and its like.
func (m *Module) Path() string { return m.path }

// Environment is what a process needs in its environment to load the module.
func (m *Module) Environment() map[string]string {
	return map[string]string{"FAULTY_MODULE": m.real, "FAULTY_CONTROL": m.control}
}

// Set makes the PKCS#11 function misbehave from its next call on; it replaces the function's former fault and starts its count of faults anew.
func (m *Module) Set(t testing.TB, function string, f Fault) {
	t.Helper()
	m.table.set(index(t, function), f)
}

// Clear lets the function work again. Processes that already hang in it stay so.
func (m *Module) Clear(t testing.TB, function string) {
	t.Helper()
	m.table.set(index(t, function), Fault{})
}

// Calls says how often the function was called since the module was built, over all processes. Calls of C_Sign that only ask for the length of
// a signature are not counted.
func (m *Module) Calls(t testing.TB, function string) uint64 {
	t.Helper()
	return m.table.calls(index(t, function))
}

// Fired says how often the function's present fault struck.
func (m *Module) Fired(t testing.TB, function string) uint64 {
	t.Helper()
	return m.table.fired(index(t, function))
}

func index(t testing.TB, function string) int {
	t.Helper()
	i := slices.Index(functions, function)
	if i < 0 {
		t.Fatalf("faulty: %s is not a function that can be made to fail; those are %s", function, strings.Join(functions, ", "))
	}
	return i
}

func softHSM(t testing.TB) string {
	t.Helper()
	for _, path := range modules {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Fatalf("faulty: no SoftHSM in any of %s; install the package softhsm2", strings.Join(modules, ", "))
	return ""
}

func compile(t testing.TB, dir, output string) {
	t.Helper()
	headers := run(t, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/miekg/pkcs11")
	c := filepath.Join(dir, "faulty.c")
	for path, content := range map[string][]byte{c: source, filepath.Join(dir, "functions.h"): header()} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatalf("faulty: %v", err)
		}
	}
	run(t, "cc", "-shared", "-fPIC", "-O2", "-Wall", "-I", dir, "-I", headers, "-o", output, c, "-ldl")
}

// header gives the C side the order of the table.
func header() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "#define FUNCTIONS %d\n#define EACH_FUNCTION(F)", len(functions))
	for _, f := range functions {
		fmt.Fprintf(&b, " F(%s)", f)
	}
	b.WriteString("\n")
	for i, f := range functions {
		fmt.Fprintf(&b, "#define INDEX_%s %d\n", f, i)
	}
	return []byte(b.String())
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("faulty: %s: %v\n%s", name, err, out)
	}
	return strings.TrimSpace(string(out))
}
