package script

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// daemon is a daemon that a script started.
type daemon struct {
	process *exec.Cmd
	ended   chan error
}

// daemons maps names to the running daemons of one script.
type daemons map[string]*daemon

type daemonsKey struct{}

func running(ts *testscript.TestScript) daemons {
	return ts.Value(daemonsKey{}).(daemons)
}

// Signals maps the names that scripts use to signals.
var Signals = map[string]syscall.Signal{
	"HUP": syscall.SIGHUP, "USR1": syscall.SIGUSR1, "TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL,
}

// start starts a daemon in the background, with its output in NAME.out and
// NAME.log:
//
//	start NAME COMMAND [ARG ...]
func start(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: start NAME COMMAND [ARG ...]")
	}
	name := args[0]
	path := program(ts, args[1])
	d := &daemon{process: exec.Command(path, args[2:]...), ended: make(chan error, 1)}
	d.process.Dir = ts.MkAbs(".")
	d.process.Env = append(os.Environ(), "PATH="+ts.Getenv("PATH"), ClockShift+"="+ts.Getenv(ClockShift))
	d.process.Stdout = create(ts, name+".out")
	d.process.Stderr = create(ts, name+".log")
	ts.Check(d.process.Start())
	go func() { d.ended <- d.process.Wait() }()
	running(ts)[name] = d
}

// program finds a program in the script's PATH.
func program(ts *testscript.TestScript, name string) string {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if path := filepath.Join(dir, name); !strings.Contains(name, "/") && exists(path) {
			return path
		}
	}
	return name
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func create(ts *testscript.TestScript, name string) *os.File {
	file, err := os.Create(ts.MkAbs(name))
	ts.Check(err)
	ts.Defer(func() { file.Close() })
	return file
}

// signal sends a running daemon a signal:
//
//	signal NAME HUP|TERM|INT|KILL
func signal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 || running(ts)[args[0]] == nil {
		ts.Fatalf("usage: signal NAME HUP|TERM|INT|KILL")
	}
	ts.Check(running(ts)[args[0]].process.Process.Signal(Signals[args[1]]))
}

// terminate stops a daemon with SIGTERM, or waits for one that was killed. The
// daemon must exit with 0, or with ! with anything else:
//
//	[!] terminate NAME
func terminate(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 || running(ts)[args[0]] == nil {
		ts.Fatalf("usage: terminate NAME")
	}
	d := running(ts)[args[0]]
	_ = d.process.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-d.ended:
		delete(running(ts), args[0])
		if (err != nil) != neg {
			ts.Fatalf("%s exited with %v", args[0], err)
		}
	case <-time.After(20 * time.Second):
		ts.Fatalf("%s did not exit within 20 s of SIGTERM", args[0])
	}
}

// end kills the daemons that a failed script left running.
func (all daemons) end() {
	for _, d := range all {
		_ = d.process.Process.Kill()
		<-d.ended
	}
}
