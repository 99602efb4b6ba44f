// Package softhsm creates SoftHSM tokens for tests.
//
// A token is a directory. New creates it in t.TempDir, with its own
// configuration file and a random PIN, and sets SOFTHSM2_CONF for this process.
// Nothing is shared with the machine's own SoftHSM or with another test.
//
// SoftHSM reads SOFTHSM2_CONF in C_Initialize, which a process calls once for
// all users of the module. Therefore:
//
//   - Tests in one process can run one after another if each closes what it
//     opened: the last close finalizes the module, and the next open reads the
//     next test's configuration.
//   - A test that leaves an hsm.Token open makes all later tests of the process
//     use its directory.
//   - Tests that use New cannot be parallel, nor can their parents: New uses
//     t.Setenv, which panics there.
//   - Child processes have none of these limits: give each its token's
//     Environment.
//   - For two tokens at the same time use New and Add, which share one
//     directory.
//
// Tests fail without SoftHSM. They never skip: a skipped test proves nothing.
package softhsm

import (
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Token is a token that exists until the test ends.
type Token struct {
	Module   string // path of libsofthsm2.so
	Label    string
	Serial   string
	PIN      string
	SOPIN    string
	Dir      string // holds softhsm2.conf and tokens/
	ConfFile string // what SOFTHSM2_CONF names

	t testing.TB
}

// Lacks reports whether SoftHSM 2.6 lacks an algorithm or a type of key.
func Lacks[T ~string](name T) bool { return strings.HasPrefix(string(name), "ML-DSA-") }

// New creates a token with a random label and PIN, and sets SOFTHSM2_CONF for
// this process until the test ends.
func New(t testing.TB) *Token {
	t.Helper()
	token := &Token{Module: module(t), Dir: t.TempDir(), t: t}
	token.ConfFile = filepath.Join(token.Dir, "softhsm2.conf")
	token.write(token.ConfFile, "directories.tokendir = "+token.live()+"\n"+
		"objectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n")
	if err := os.Mkdir(token.live(), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", token.ConfFile)
	// Lower case: a test that replaces a word such as DIR in a configuration must
	// not find it in a label.
	token.initialize("test-" + strings.ToLower(rand.Text()[:8]))
	return token
}

// Add creates another token in the same directory, with the given label and its
// own PIN. A process that has the module open sees it only after reopening the
// module.
func (k *Token) Add(label string) *Token {
	k.t.Helper()
	other := &Token{Module: k.Module, Dir: k.Dir, ConfFile: k.ConfFile, t: k.t}
	other.initialize(label)
	return other
}

// Environment returns the variables a child process needs to use the token.
func (k *Token) Environment() map[string]string {
	return map[string]string{"SOFTHSM2_CONF": k.ConfFile}
}

// PINFile writes the PIN to a file with mode 0600 and returns its path.
func (k *Token) PINFile() string {
	k.t.Helper()
	path := filepath.Join(k.t.TempDir(), "pin")
	k.write(path, k.PIN+"\n")
	return path
}

// Lose moves the token directory away, as if the HSM were unplugged. It takes
// all tokens from Add with it.
func (k *Token) Lose() {
	k.t.Helper()
	k.move(k.live(), k.lost())
}

// Restore moves the token directory back. A process that had the module open in
// the meantime sees the token only after it finalizes the module.
func (k *Token) Restore() {
	k.t.Helper()
	k.move(k.lost(), k.live())
}

func (k *Token) live() string { return filepath.Join(k.Dir, "tokens") }
func (k *Token) lost() string { return filepath.Join(k.Dir, "lost") }

func (k *Token) move(from, to string) {
	k.t.Helper()
	if err := os.Rename(from, to); err != nil {
		k.t.Fatal(err)
	}
}

func (k *Token) write(path, text string) {
	k.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		k.t.Fatal(err)
	}
}

// initialize creates the token with softhsm2-util, so that this process does
// not load the module.
func (k *Token) initialize(label string) {
	k.t.Helper()
	k.Label, k.PIN, k.SOPIN = label, rand.Text()[:12], rand.Text()[:12]
	known := k.serials()
	k.util("--init-token", "--free", "--label", k.Label, "--pin", k.PIN, "--so-pin", k.SOPIN)
	for serial := range k.serials() {
		if !known[serial] {
			k.Serial = serial
			return
		}
	}
	k.t.Fatalf("softhsm2-util created no token %q in %s", label, k.Dir)
}

// serials returns the serial numbers of all tokens in the directory.
func (k *Token) serials() map[string]bool {
	k.t.Helper()
	serials := map[string]bool{}
	for line := range strings.Lines(k.util("--show-slots")) {
		name, value, _ := strings.Cut(line, ":")
		if value = strings.TrimSpace(value); strings.TrimSpace(name) == "Serial number" && value != "" {
			serials[value] = true
		}
	}
	return serials
}

func (k *Token) util(args ...string) string {
	k.t.Helper()
	command := exec.Command("softhsm2-util", append([]string{"--module", k.Module}, args...)...)
	command.Env = append(os.Environ(), "SOFTHSM2_CONF="+k.ConfFile)
	out, err := command.CombinedOutput()
	if err != nil {
		k.t.Fatalf("softhsm2-util %s: %v: %s%s", args[0], err, out, hint)
	}
	return string(out)
}

const hint = "\nThese tests need SoftHSM 2: apt-get install softhsm2, dnf install softhsm, or brew install softhsm." +
	"\nIf the module is in an unusual place, set SOFTHSM2_MODULE to its path."

// module finds libsofthsm2.so, or fails the test.
func module(t testing.TB) string {
	t.Helper()
	places := []string{
		"/usr/lib/softhsm/libsofthsm2.so",
		"/usr/lib64/softhsm/libsofthsm2.so",
		"/usr/lib64/pkcs11/libsofthsm2.so",
		"/usr/lib/libsofthsm2.so",
		"/usr/local/lib/softhsm/libsofthsm2.so",
		"/opt/homebrew/lib/softhsm/libsofthsm2.so",
	}
	if path := os.Getenv("SOFTHSM2_MODULE"); path != "" {
		places = []string{path}
	}
	for _, path := range places {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Fatalf("no SoftHSM module at any of %s%s", strings.Join(places, ", "), hint)
	return ""
}
