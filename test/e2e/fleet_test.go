package e2e

import (
	"regexp"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/assertd/assertd/internal/store/storetest"
	"github.com/assertd/assertd/test/script"
)

// TestFleet runs the scripts of daemons that share a server. $STORE is its
// address, and the command store kills it or starts it again, empty.
func TestFleet(t *testing.T) {
	server := storetest.Start(t, "")
	testscript.Run(t, testscript.Params{
		Dir: "testdata/fleet",
		Setup: func(env *testscript.Env) error {
			env.Setenv("STORE", server.Address)
			return setup(env)
		},
		Cmds: script.Commands(map[string]script.Command{
			"store": func(ts *testscript.TestScript, _ bool, args []string) { control(ts, server, args) },
			"until": until,
		}),
		RequireExplicitExec: true,
		Deadline:            script.Deadline(t),
	})
}

func control(ts *testscript.TestScript, server *storetest.Server, args []string) {
	switch {
	case len(args) == 1 && args[0] == "kill":
		server.Kill()
	case len(args) == 1 && args[0] == "restart":
		server.Restart()
	default:
		ts.Fatalf("usage: store kill|restart")
	}
}

// until runs a command until its output matches a pattern, or with ! doesn't:
//
//	until PATTERN COMMAND [ARG ...]
func until(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: until PATTERN COMMAND [ARG ...]")
	}
	pattern := regexp.MustCompile("(?m)" + args[0])
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		_ = ts.Exec(args[1], args[2:]...) // the output says more
		if pattern.MatchString(ts.ReadFile("stdout")) != neg {
			return
		}
	}
	ts.Fatalf("after a minute, the output is %q", ts.ReadFile("stdout"))
}
