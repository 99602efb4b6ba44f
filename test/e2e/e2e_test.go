// Package e2e runs the built programs as their users do. Each script in
// testdata is a session at a terminal, with real processes, sockets, and a
// SoftHSM token.
package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/assertd/assertd/test/faultydisk"
	"github.com/assertd/assertd/test/script"
)

var binaries string

var signals = script.Signals

func TestMain(m *testing.M) {
	faultydisk.Confine()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "assertd-e2e-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if err := script.Build(dir, "cmd/assertd", "cmd/assertctl", "test/softhsm/foreignkey"); err != nil {
		panic("build: " + err.Error())
	}
	binaries = dir
	return m.Run()
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		Setup:               setup,
		Cmds:                script.Commands(map[string]script.Command{"verifies": verifies}),
		RequireExplicitExec: true,
		Deadline:            script.Deadline(t),
	})
}

func setup(env *testscript.Env) error {
	script.Setup(env, binaries)
	env.Setenv("ASSERTD_SOCKET", "dev/assertd.sock")
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		return err
	}
	env.Setenv("EXAMPLES", examples)
	env.Setenv("CONTROL", "dev/\x1b[2J") // a key label that would clear the screen
	return nil
}
