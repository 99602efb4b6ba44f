package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/sandbox"
)

// build builds both programs once for all tests.
var build = sync.OnceValues(func() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "assertd-deploy-"); err != nil {
		return "", err
	}
	for _, name := range []string{"assertd", "assertctl"} {
		out, failed := exec.Command("go", "build", "-o", filepath.Join(dir, name), "github.com/assertd/assertd/cmd/"+name).CombinedOutput()
		if failed != nil {
			return dir, fmt.Errorf("build %s: %w\n%s", name, failed, out)
		}
	}
	return dir, os.Chmod(dir, 0o755)
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, _ := build(); dir != "" {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

func program(t *testing.T, name string) string {
	t.Helper()
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// daemon is a running assertd dev and its log.
type daemon struct {
	process *exec.Cmd
	dir     string
	ended   chan error

	mu  sync.Mutex
	log bytes.Buffer
}

// Write collects the daemon's output.
func (d *daemon) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.Write(p)
}

func (d *daemon) logged() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.String()
}

// start runs assertd with its files in dir until the test ends.
func start(t *testing.T, dir string, prepare func(*exec.Cmd), argv ...string) *daemon {
	t.Helper()
	d := &daemon{process: exec.Command(argv[0], argv[1:]...), dir: dir, ended: make(chan error, 1)}
	d.process.Stdout, d.process.Stderr = d, d
	if prepare != nil {
		prepare(d.process)
	}
	if err := d.process.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { d.ended <- d.process.Wait() }()
	t.Cleanup(func() {
		if err := d.stop(); err != nil {
			t.Errorf("the daemon ended with %v\n%s", err, d.logged())
		}
	})
	return d
}

func (d *daemon) stop() error {
	_ = d.process.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-d.ended:
		d.ended <- err
		return err
	case <-time.After(20 * time.Second):
		_ = d.process.Process.Kill()
		return errors.New("it did not stop within 20 s and was killed")
	}
}

// await waits until the log contains the text.
func (d *daemon) await(t *testing.T, text string) {
	t.Helper()
	d.awaitTimes(t, text, 1)
}

// awaitTimes waits until the log contains the text n times.
func (d *daemon) awaitTimes(t *testing.T, text string, n int) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if strings.Count(d.logged(), text) >= n {
			return
		}
		select {
		case err := <-d.ended:
			d.ended <- err
			t.Fatalf("the daemon exited with %v before it logged %q %d times:\n%s", err, text, n, d.logged())
		default:
		}
	}
	t.Fatalf("the daemon did not log %q %d times:\n%s", text, n, d.logged())
}

func startDev(t *testing.T, dir string, prepare func(*exec.Cmd)) *daemon {
	t.Helper()
	d := start(t, dir, prepare, program(t, "assertd"), "dev", "--dir", dir)
	d.await(t, "assertd is ready")
	return d
}

// assert gets an assertion from the daemon.
func (d *daemon) assert(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, program(t, "assertctl"), "--socket", filepath.Join(d.dir, "assertd.sock"), "assert").CombinedOutput()
	if err != nil || strings.Count(string(out), ".") != 2 {
		t.Fatalf("assert: %v\n%s\n%s", err, out, d.logged())
	}
}

// confines reports whether this kernel can confine processes. If it cannot, the
// daemon must log that.
func (d *daemon) confines(t *testing.T) bool {
	if sandbox.Supported() > 0 {
		return true
	}
	if !strings.Contains(d.logged(), "no Landlock") {
		t.Error("the kernel has no Landlock and the daemon did not log that")
	}
	return false
}

// TestFrontCantOpenOtherFiles makes the daemon read its configuration through a
// symbolic link to a file outside the sandbox.
func TestFrontCantOpenOtherFiles(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	d := startDev(t, dir, nil)
	d.assert(t)
	conf, moved := filepath.Join(dir, "assertd.yaml"), filepath.Join(elsewhere, "assertd.yaml")
	copyFile(t, conf, moved)
	if err := errors.Join(os.Remove(conf), os.Symlink(moved, conf)); err != nil {
		t.Fatal(err)
	}
	if err := d.process.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if !d.confines(t) {
		d.await(t, "reloaded")
		return
	}
	d.await(t, "reload refused")
	d.await(t, "permission denied")
	d.assert(t)
}

// TestReloadCantWidenTheSandbox reloads a configuration that needs more access
// than the sandbox grants.
func TestReloadCantWidenTheSandbox(t *testing.T) {
	dir := t.TempDir()
	d := startDev(t, dir, nil)
	if !d.confines(t) {
		return
	}
	edit(t, filepath.Join(dir, "assertd.yaml"), "match: {", "match: {executable: /usr/bin/curl, ")
	if err := d.process.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	d.await(t, "matched by executable, which a confined daemon can't see")
	d.assert(t)
}

// TestWorkerCantWriteTheAuditLog has a worker run a PIN command that tries to
// write to the audit log.
func TestWorkerCantWriteTheAuditLog(t *testing.T) {
	dir := t.TempDir()
	d := startDev(t, dir, nil)
	confines := d.confines(t)
	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
	audit, pin := filepath.Join(dir, "audit.jsonl"), filepath.Join(dir, "pin")
	edit(t, filepath.Join(dir, "assertd.yaml"), fmt.Sprintf("pin: {file: %q}", pin),
		fmt.Sprintf(`pin: {command: [/bin/sh, -c, "echo forged >> %s; cat %s"]}`, audit, pin))
	d = startDev(t, dir, nil)
	d.assert(t)
	log, err := os.ReadFile(audit)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(log), "forged") && confines {
		t.Error("a worker wrote to the audit log")
	}
}

// TestModuleOutOfReach configures SoftHSM in the home directory, where the
// daemon does not look for its token directory.
func TestModuleOutOfReach(t *testing.T) {
	dir, home, elsewhere := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "tokens")
	d := startDev(t, dir, nil)
	confines := d.confines(t)
	if err := d.stop(); err != nil || !confines {
		return
	}
	copyFile(t, filepath.Join(dir, "softhsm2.conf"), filepath.Join(home, ".config/softhsm2/softhsm2.conf"))
	edit(t, filepath.Join(home, ".config/softhsm2/softhsm2.conf"), filepath.Join(dir, "tokens"), elsewhere)
	if err := os.Rename(filepath.Join(dir, "tokens"), elsewhere); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "assertd.yaml")
	edit(t, conf, fmt.Sprintf("SOFTHSM2_CONF: %q", filepath.Join(dir, "softhsm2.conf")), fmt.Sprintf("HOME: %q", home))
	d = start(t, dir, nil, program(t, "assertd"), "serve", "--config", conf)
	d.await(t, "sandbox.write") // the remedy
	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
	edit(t, conf, "\naudit:", fmt.Sprintf("\nsandbox: {write: [%q]}\naudit:", elsewhere))
	d = start(t, dir, nil, program(t, "assertd"), "serve", "--config", conf)
	d.await(t, "started: version")
	d.assert(t)
}

// workerReady is logged once for each worker that can sign.
const workerReady = "hsm worker: ready"

// TestWorkersSurviveAnUpgrade replaces the program file while it runs, as an
// upgrade does, and kills a worker.
func TestWorkersSurviveAnUpgrade(t *testing.T) {
	dir, bin := t.TempDir(), filepath.Join(t.TempDir(), "assertd")
	copyFile(t, program(t, "assertd"), bin)
	if err := os.Chmod(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	d := start(t, dir, nil, bin, "dev", "--dir", dir)
	d.awaitTimes(t, workerReady, 2) // a worker that is killed while it logs in may damage SoftHSM's token
	if err := errors.Join(os.WriteFile(bin+".new", []byte("#!/bin/false\n"), 0o755), os.Rename(bin+".new", bin)); err != nil {
		t.Fatal(err)
	}
	for _, pid := range children(t, d.process.Process.Pid) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	d.awaitTimes(t, workerReady, 3)
	d.assert(t)
}

func children(t *testing.T, pid int) (pids []int) {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		content, _ := os.ReadFile(list)
		for reader := strings.NewReader(string(content)); ; {
			var child int
			if _, err := fmt.Fscan(reader, &child); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, child)
		}
	}
	return pids
}

func edit(t *testing.T, path, from, to string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(content, []byte(from)) {
		t.Fatalf("%s does not contain %q:\n%s", path, from, content)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(content, []byte(from), []byte(to)), 0o600); err != nil {
		t.Fatal(err)
	}
}
