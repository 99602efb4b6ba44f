// Package script has what test scripts share: it builds our programs, and adds
// commands to testscript that run daemons.
package script

import (
	"maps"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// ClockShift is the variable that shifts the clock of programs built with the
// tag clockshift, as Build does.
const ClockShift = "ASSERTD_CLOCK_SHIFT"

// Command is a command of a script.
type Command = func(ts *testscript.TestScript, neg bool, args []string)

// Commands returns the shared commands and more of the caller's own.
func Commands(more map[string]Command) map[string]Command {
	all := map[string]Command{
		"await":     await,
		"start":     start,
		"signal":    signal,
		"terminate": terminate,
		"replace":   replace,
		"lines":     lines,
		"retry":     retry,
		"capture":   capture,
	}
	maps.Copy(all, more)
	return all
}

// Build builds programs of this module into dir. Each is the path of its
// package below the module's root.
func Build(dir string, packages ...string) error {
	args := []string{"build", "-tags", "clockshift", "-o", dir}
	for _, p := range packages {
		args = append(args, "github.com/assertd/assertd/"+p)
	}
	build := exec.Command("go", args...)
	build.Stderr = os.Stderr
	return build.Run()
}

// Setup prepares a script's environment: the programs in dir are in its PATH,
// and the daemons that it leaves behind are killed.
func Setup(env *testscript.Env, dir string) {
	all := daemons{}
	env.Values[daemonsKey{}] = all
	env.Defer(all.end)
	env.Setenv("PATH", dir+string(os.PathListSeparator)+env.Getenv("PATH"))
}

// Deadline is when scripts must end, so that testscript still reports which one
// was stuck.
func Deadline(t *testing.T) time.Time {
	if d, ok := t.Deadline(); ok {
		return d.Add(-5 * time.Second)
	}
	return time.Now().Add(5 * time.Minute)
}
