// Package faulty builds a PKCS#11 module that misbehaves on command. Tests use
// it to show what a bad module can do to the processes that load it.
//
// The module wraps SoftHSM and forwards every call. On command a function
// hangs, crashes, waits, returns an error, or corrupts a signature. The module
// can also count wrong PINs, hide objects, lack mechanisms, have the traits of
// other providers' modules, and attack the processes around it, unlike SoftHSM.
// Faults take effect immediately in all processes that have loaded the module,
// and calls are counted across all of them.
package faulty

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

//go:embed module
var sources embed.FS

// modules lists where distributions install SoftHSM.
var modules = []string{
	"/usr/lib/softhsm/libsofthsm2.so",
	"/usr/lib64/softhsm/libsofthsm2.so",
	"/usr/lib64/pkcs11/libsofthsm2.so",
	"/usr/local/lib/softhsm/libsofthsm2.so",
}

// Module is a built module and the table that controls it.
type Module struct {
	path, control, real string
	pin                 string // a file; see LogInBy
	table               *table
}

// Build compiles the module with cc and the headers from
// github.com/miekg/pkcs11. The test fails if a tool is missing. The module
// exists until the test ends.
func Build(t testing.TB) *Module {
	t.Helper()
	m, err := BuildIn(t.TempDir())
	if err != nil {
		t.Fatalf("faulty: %v", err)
	}
	t.Cleanup(m.table.close)
	return m
}

// BuildIn is Build for programs that aren't tests: the module is in a directory
// of theirs, which must be empty, and exists until they exit.
func BuildIn(dir string) (*Module, error) {
	wrapped, err := softHSM()
	if err != nil {
		return nil, err
	}
	m := &Module{path: filepath.Join(dir, "faulty.so"), control: filepath.Join(dir, "control"), real: wrapped}
	if m.table, err = createTable(m.control); err != nil {
		return nil, fmt.Errorf("create the control file: %w", err)
	}
	if err := compile(dir, m.path); err != nil {
		m.table.close()
		return nil, err
	}
	return m, nil
}

// Path is the path of the module, for hsm.Config.Module.
func (m *Module) Path() string { return m.path }

// Environment returns the variables a process needs to load the module.
func (m *Module) Environment() map[string]string {
	variables := map[string]string{"FAULTY_MODULE": m.real, "FAULTY_CONTROL": m.control}
	if m.pin != "" {
		variables["FAULTY_PIN"] = m.pin
	}
	return variables
}

// Set makes a PKCS#11 function misbehave from its next call on. It replaces the
// function's previous fault and resets Fired.
func (m *Module) Set(t testing.TB, function string, f Fault) {
	t.Helper()
	m.table.set(index(t, function), f)
}

// DelaySignatures is Set for C_Sign with a Delay, for programs that aren't
// tests.
func (m *Module) DelaySignatures(wait time.Duration) {
	m.table.set(slices.Index(functions, "C_Sign"), Fault{Action: Delay, Wait: wait})
}

// Clear removes a fault. Calls that already hang keep hanging.
func (m *Module) Clear(t testing.TB, function string) {
	t.Helper()
	m.table.set(index(t, function), Fault{})
}

// Calls returns how often all processes have called the function since Build.
// Calls of C_Sign that only ask for the length of a signature do not count.
func (m *Module) Calls(t testing.TB, function string) uint64 {
	t.Helper()
	return m.table.calls(index(t, function))
}

// Lengths returns how often all processes have called C_Sign only to ask for
// the length of a signature.
func (m *Module) Lengths() uint64 { return m.table.settings.lengths.Load() }

// Fired returns how often the function's current fault has occurred.
func (m *Module) Fired(t testing.TB, function string) uint64 {
	t.Helper()
	return m.table.fired(index(t, function))
}

// CountPINs makes the module count wrong PINs as a smart card does: it sets the
// flags CKF_USER_PIN_COUNT_LOW, CKF_USER_PIN_FINAL_TRY and CKF_USER_PIN_LOCKED,
// and refuses every PIN after limit wrong ones. SoftHSM has only the first
// flag. 0 stops that.
func (m *Module) CountPINs(limit int) { m.table.settings.pinLimit.Store(uint64(limit)) }

// WrongPINs returns how many wrong PINs were entered since the last login.
func (m *Module) WrongPINs() int { return int(m.table.settings.wrongPINs.Load()) }

// SetWrongPINs changes the count: 0 unlocks the token.
func (m *Module) SetWrongPINs(n int) { m.table.settings.wrongPINs.Store(uint64(n)) }

// HideNewObjects makes the module hide from each process what other processes
// make after its login, as nShield's does by default. Call it before the
// processes start.
func (m *Module) HideNewObjects() { m.table.settings.frozen.Store(1) }

// OnlyHash leaves the module only mechanisms that hash the message themselves.
// SoftHSM has them for RSA, and the module adds CKM_ECDSA_SHA256. It neither
// lists nor takes those that sign digests.
func (m *Module) OnlyHash() { m.table.settings.hashing.Store(1) }

// Login is a way in which tokens are logged in to.
type Login uint64

const (
	Pad    Login = iota + 1 // by a null PIN; a person enters the PIN on the pad
	NoPIN                   // the token needs no login, and C_Login fails
	Shared                  // another process has logged in: any PIN gets CKR_USER_ALREADY_LOGGED_IN
)

// LogInBy makes the token one of another kind. The file has the token's PIN,
// which the person enters, or the other process entered.
func (m *Module) LogInBy(l Login, file string) {
	m.table.settings.login.Store(uint64(l))
	m.pin = file
}

// EndlessSearches makes every search find the same objects over and over.
func (m *Module) EndlessSearches() { m.table.settings.endless.Store(1) }

func index(t testing.TB, function string) int {
	t.Helper()
	i := slices.Index(functions, function)
	if i < 0 {
		t.Fatalf("faulty: cannot make %s fail; use one of %s", function, strings.Join(functions, ", "))
	}
	return i
}

func softHSM() (string, error) {
	for _, path := range modules {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("SoftHSM is not at any of %s; install the package softhsm2", strings.Join(modules, ", "))
}

func compile(dir, output string) error {
	headers, err := run("go", "list", "-m", "-f", "{{.Dir}}", "github.com/miekg/pkcs11")
	if err != nil {
		return err
	}
	module, err := fs.Sub(sources, "module")
	if err == nil {
		err = errors.Join(os.CopyFS(dir, module), os.WriteFile(filepath.Join(dir, "functions.h"), header(), 0o600))
	}
	if err != nil {
		return err
	}
	c := filepath.Join(dir, "faulty.c")
	_, err = run("cc", "-shared", "-fPIC", "-O2", "-Wall", "-I", dir, "-I", headers, "-o", output, c, "-ldl", "-lpthread")
	return err
}

// header defines the order of the table for the C code.
func header() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "#define FUNCTIONS %d\n#define MAX_TARGET %d\n#define EACH_FUNCTION(F)", len(functions), maxTarget)
	for _, f := range functions {
		fmt.Fprintf(&b, " F(%s)", f)
	}
	b.WriteString("\n")
	for i, f := range functions {
		fmt.Fprintf(&b, "#define INDEX_%s %d\n", f, i)
	}
	return []byte(b.String())
}

func run(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return strings.TrimSpace(string(out)), nil
}
