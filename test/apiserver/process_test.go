package apiserver

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for something that takes seconds on an idle
// machine.
const patience = 3 * time.Minute

// process is a server that runs until it is stopped, or its test ends.
type process struct {
	name   string
	log    string // path
	cmd    *exec.Cmd
	exited chan struct{}
}

// start starts a server that logs into a directory.
func start(t *testing.T, dir, name, program string, args ...string) *process {
	t.Helper()
	p := &process{name: name, log: filepath.Join(dir, name+".log"), cmd: exec.Command(program, args...), exited: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	check(t, err)
	defer log.Close()
	p.cmd.Stdout, p.cmd.Stderr = log, log
	check(t, p.cmd.Start())
	go func() {
		defer close(p.exited)
		_ = p.cmd.Wait() // the exit code is in the state
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // may have exited
		<-p.exited
		if t.Failed() {
			text, _ := os.ReadFile(p.log)
			t.Logf("the end of %s's log:\n%s", name, tail(string(text)))
		}
	})
	return p
}

// stop stops the server in an orderly way.
func (p *process) stop(t *testing.T) {
	t.Helper()
	check(t, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.exited:
	case <-time.After(patience):
		t.Fatalf("%s does not stop", p.name)
	}
}

func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// await polls until the server does what it is waited for.
func (p *process) await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	eventually(t, what, func() bool {
		if !p.running() {
			text, _ := os.ReadFile(p.log)
			t.Fatalf("%s exited: %s", p.name, tail(string(text)))
		}
		return holds()
	})
}

// eventually polls until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out: %s", what)
		}
	}
}
