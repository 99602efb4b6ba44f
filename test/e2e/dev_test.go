package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/test/script"
)

// devDaemon is a running `assertd dev`.
type devDaemon struct {
	*client.Client
	dir, socket, config string
	process             *os.Process
}

// startDev runs `assertd dev` until the test ends.
func startDev(t *testing.T) *devDaemon {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "dev")
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	daemon := exec.Command(filepath.Join(binaries, "assertd"), "dev", "--dir", dir)
	daemon.Stdout, daemon.Stderr = log, log
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = daemon.Process.Signal(syscall.SIGTERM)
		err := daemon.Wait()
		log.Close()
		if text, _ := os.ReadFile(log.Name()); err != nil || t.Failed() {
			t.Logf("the daemon exited with %v; its log:\n%s", err, text)
		}
	})
	d := &devDaemon{dir: dir, socket: filepath.Join(dir, "assertd.sock"), config: filepath.Join(dir, "assertd.yaml"), process: daemon.Process}
	if d.Client, err = client.New(d.socket); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	if err := script.AwaitWorkers(t.Context(), d.Client); err != nil {
		t.Fatal(err)
	}
	return d
}

// run runs one of the built programs against this daemon and returns its
// output.
func (d *devDaemon) run(t *testing.T, program string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, args...)
	if !filepath.IsAbs(program) {
		command.Path, command.Err = filepath.Join(binaries, program), nil
	}
	var out, errs strings.Builder
	command.Stdout, command.Stderr = &out, &errs
	command.Env = append(os.Environ(), "ASSERTD_SOCKET="+d.socket)
	err = command.Run()
	return out.String(), errs.String(), err
}

// must is run for commands that must succeed.
func (d *devDaemon) must(t *testing.T, program string, args ...string) string {
	t.Helper()
	stdout, stderr, err := d.run(t, program, args...)
	if err != nil {
		t.Fatalf("%s %q: %v\n%s%s", program, args, err, stdout, stderr)
	}
	return stdout
}

// reconfigure replaces text in the configuration, generates a key for each new
// key set, reloads, and waits until the daemon serves a grant.
func (d *devDaemon) reconfigure(t *testing.T, old, text, grant string, keySets ...string) {
	t.Helper()
	config, err := os.ReadFile(d.config)
	if err != nil || !strings.Contains(string(config), old) {
		t.Fatalf("the configuration does not contain %q: %v", old, err)
	}
	if err := os.WriteFile(d.config, []byte(strings.Replace(string(config), old, text, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, set := range keySets {
		d.must(t, "assertd", "key", "generate", set, "--config", d.config)
	}
	if err := d.process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		grants, err := d.Grants(t.Context())
		if err == nil && slices.ContainsFunc(grants.Grants, func(g ipc.GrantInfo) bool { return g.Name == grant && g.Kid != "" }) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("grant %q is not served: %+v, %v", grant, grants, err)
		}
	}
}
