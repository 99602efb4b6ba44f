package modules

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// daemon is a process that a module needs. It runs in the foreground and has
// made its socket when it can serve.
type daemon struct {
	socket  string // "" for a daemon on TCP
	command []string
	environ []string // nil means this process's
	// answers reports whether the daemon serves. nil means that it does once
	// the socket exists.
	answers func() bool

	process *exec.Cmd
	ended   chan error
}

// deadline bounds the start of a daemon.
const deadline = time.Minute

// add starts a daemon, which ends with the test.
func (m *Module) add(t testing.TB, d *daemon) {
	t.Helper()
	d.start(t)
	m.daemons = append(m.daemons, d)
	t.Cleanup(d.stop)
}

// Restart stops the daemons that the module needs, and starts them again. A
// module without any is left as it is.
func (m *Module) Restart(t testing.TB) {
	t.Helper()
	for i := range m.daemons {
		m.daemons[len(m.daemons)-1-i].stop()
	}
	for _, d := range m.daemons {
		d.start(t)
	}
}

// Daemons is how many daemons the module needs.
func (m *Module) Daemons() int { return len(m.daemons) }

func (d *daemon) start(t testing.TB) {
	t.Helper()
	d.process = exec.Command(d.command[0], d.command[1:]...)
	d.process.Env, d.process.Stderr, d.process.WaitDelay = d.environ, t.Output(), time.Second
	d.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := d.process.Start(); err != nil {
		t.Fatal(err)
	}
	process, ended := d.process, make(chan error, 1)
	d.ended = ended
	go func() { ended <- process.Wait() }()
	for end := time.Now().Add(deadline); !d.serves(); time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s ended: %v", d.command[0], err)
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("%s doesn't serve at %s after %v", d.command[0], d.socket, deadline)
		}
	}
}

func (d *daemon) serves() bool {
	if _, err := os.Stat(d.socket); d.socket != "" && err != nil {
		return false
	}
	return d.answers == nil || d.answers()
}

// stop ends the process and its children as a service manager does: they can
// clean up first. p11-kit's server has a child for each connection.
func (d *daemon) stop() {
	group := -d.process.Process.Pid
	defer func() { _ = syscall.Kill(group, syscall.SIGKILL) }()
	_ = syscall.Kill(group, syscall.SIGTERM)
	select {
	case err := <-d.ended:
		d.ended <- err
	case <-time.After(deadline / 6):
		_ = syscall.Kill(group, syscall.SIGKILL)
		err := <-d.ended
		d.ended <- err
	}
	if d.socket != "" {
		_ = os.Remove(d.socket)
	}
}
