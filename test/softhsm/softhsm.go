// Package softhsm gives any test a throwaway SoftHSM token of its own.
//
// A token is a directory: New makes one under t.TempDir, with its own configuration file and a random PIN, and points
// this process at it through SOFTHSM2_CONF. Nothing is shared with the machine's own SoftHSM or with another test.
//
// SoftHSM reads SOFTHSM2_CONF when the module is initialised (C_Initialize), and a process has the module initialised
// once for all who use it. So:
//
//   - One test after the other in one process works if each closes what it opened before it ends: the last close
//     finalizes the module, and the next open reads the next test's configuration.
//   - A test that leaves a Token of package hsm open makes all later tests of the process look into its directory.
//   - Tests that use New can't be parallel (t.Setenv, which New uses, panics there), nor can their parents.
//   - Child processes are free of all this: give each the Environment of its own token.
//   - Two tokens that have to be seen at the same time come from New and Add: they share one directory.
//
// A missing SoftHSM fails the test. It never skips it: a test that silently didn't run has shown nothing.
package softhsm

import (
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Token is a throwaway token; its directory goes when the test ends.
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

// New makes a token with a random label and PIN and sets SOFTHSM2_CONF for this process until the test ends.
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
	token.initialize("test-" + rand.Text()[:8])
	return token
}

// Add makes one more token in the same directory, with the label given and a PIN of its own. A process that has the
// module open sees it only after it has closed it.
func (k *Token) Add(label string) *Token {
	k.t.Helper()
	other := &Token{Module: k.Module, Dir: k.Dir, ConfFile: k.ConfFile, t: k.t}
	other.initialize(label)
	return other
}

// Environment is what a child process needs in its environment to see the token.
func (k *Token) Environment() map[string]string {
	return map[string]string{"SOFTHSM2_CONF": k.ConfFile}
}

// PINFile writes the PIN to a file that only this user can read and gives its path.
func (k *Token) PINFile() string {
	k.t.Helper()
	path := filepath.Join(k.t.TempDir(), "pin")
	k.write(path, k.PIN+"\n")
	return path
}

// Lose takes the token's files away, all tokens of the directory with it, as if the HSM had been unplugged.
func (k *Token) Lose() {
	k.t.Helper()
	k.move(k.live(), k.lost())
}

// Restore brings the files back. A process that had the module open while they were away stays blind until it
// finalizes the module.
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

// initialize makes the token with SoftHSM's own tool, so that this process's module is left as it is.
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
	k.t.Fatalf("softhsm2-util made no token %q in %s", label, k.Dir)
}

// serials lists the serial numbers of the directory's tokens.
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

const hint = "\nThese tests need SoftHSM 2: apt-get install softhsm2, or dnf install softhsm, or brew install softhsm." +
	"\nWhere the module isn't in one of the usual places, name it in SOFTHSM2_MODULE."

// module finds libsofthsm2.so, or fails the test with what to do.
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
