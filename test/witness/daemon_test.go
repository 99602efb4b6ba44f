package witness_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/ipc"
)

// daemon is an assertd with a developer's token, whose audit log has witnesses.
type daemon struct {
	*client.Client
	t             *testing.T
	dir           string
	config        string
	audit, anchor string
	process       *exec.Cmd
	exited        chan struct{}
	log           *journal
}

const origin = "log.example/assertd/host1"

// newDaemon makes a daemon with this audit configuration besides its file and
// checkpoint key. %ANCHOR% stands for the path of the anchor. It does not start
// the daemon.
func newDaemon(t *testing.T, settings string) *daemon {
	t.Helper()
	dir, err := os.MkdirTemp("", "assertd") // the path of a socket must be short
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	d := &daemon{t: t, dir: dir, config: filepath.Join(dir, "assertd.yaml"), anchor: filepath.Join(t.TempDir(), "anchor")}
	d.Client, err = client.New(filepath.Join(dir, "assertd.sock"))
	check(t, err)
	t.Cleanup(d.Close)
	d.run("dev", "--dir", dir)
	d.awaitAnswer()
	d.terminate()

	text, err := os.ReadFile(d.config)
	check(t, err)
	d.audit = filepath.Join(dir, "audit.jsonl")
	check(t, os.RemoveAll(d.audit))
	d.audit = filepath.Join(dir, "log", "audit.jsonl")
	check(t, os.Mkdir(filepath.Dir(d.audit), 0o700))
	added := regexp.MustCompile(`(?m)^clients:`).ReplaceAllString(string(text), "  ledger: {alg: EdDSA, use: raw}\n\nclients:")
	added = regexp.MustCompile(`(?m)^audit: .*$`).ReplaceAllLiteralString(added,
		fmt.Sprintf("audit: {file: %q, checkpoint_key: ledger, checkpoint_every: 1s, %s}", d.audit, strings.ReplaceAll(settings, "%ANCHOR%", d.anchor)))
	check(t, os.WriteFile(d.config, []byte(added), 0o600))
	d.command("key", "generate", "--config", d.config, "ledger")
	return d
}

// command runs a command of assertd to its end and returns its output.
func (d *daemon) command(args ...string) string {
	d.t.Helper()
	out, err := exec.Command(program(d.t, "assertd"), args...).CombinedOutput()
	if err != nil {
		d.t.Fatalf("assertd %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (d *daemon) publicKey() string {
	d.t.Helper()
	return strings.TrimSpace(d.command("audit", "key", "--config", d.config))
}

func (d *daemon) run(args ...string) {
	d.t.Helper()
	d.log = new(journal)
	d.process = exec.Command(program(d.t, "assertd"), args...)
	d.process.Stdout, d.process.Stderr = d.log, d.log
	check(d.t, d.process.Start())
	d.exited = make(chan struct{})
	go func(p *exec.Cmd, exited chan struct{}) {
		defer close(exited)
		_ = p.Wait() // the exit code is in the state
	}(d.process, d.exited)
	d.t.Cleanup(func() {
		_ = d.process.Process.Kill() // may have exited
		<-d.exited
		if d.t.Failed() {
			d.t.Logf("the daemon's log:\n%s", d.log.text())
		}
	})
}

func (d *daemon) serve() { d.t.Helper(); d.run("serve", "--config", d.config) }

// awaitAnswer waits until the daemon answers, ready or not.
func (d *daemon) awaitAnswer() (answer ipc.ReadyResponse) {
	d.t.Helper()
	eventually(d.t, "the daemon answers", func() bool {
		select {
		case <-d.exited:
			d.t.Fatalf("the daemon exited: %s", d.log.text())
		default:
		}
		var err error
		answer, err = d.Ready(d.t.Context())
		return err == nil
	})
	return answer
}

func (d *daemon) awaitReady() {
	d.t.Helper()
	eventually(d.t, "the daemon is ready", func() bool { return d.awaitAnswer().Ready })
}

func (d *daemon) terminate() {
	d.t.Helper()
	check(d.t, d.process.Process.Signal(syscall.SIGTERM))
	<-d.exited
}

// sign asks for one assertion.
func (d *daemon) sign() error {
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	_, err := d.Assert(ctx, ipc.AssertionRequest{})
	return err
}

// status returns what operators see.
func (d *daemon) status() string {
	out, _ := exec.Command(program(d.t, "assertctl"), "status", "--operator", filepath.Join(d.dir, "operator.sock")).CombinedOutput()
	return string(out)
}

// awaitCosigned makes a record and waits until a witness has cosigned it.
func (d *daemon) awaitCosigned(w *testWitness) {
	d.t.Helper()
	check(d.t, d.sign())
	lines := func() int {
		text, _ := os.ReadFile(d.audit)
		return strings.Count(string(text), `"kind":"cosignature"`)
	}
	before := lines()
	eventually(d.t, "a cosignature", func() bool { return lines() > before })
}

// An older copy of the log's directory is refused at start, by the anchor and
// by the witness. A person can accept the loss, and the log goes on under a new
// name.
func TestTheDaemonRefusesAnOlderCopy(t *testing.T) {
	w := newWitness(t, "one.example/w")
	d := newDaemon(t, fmt.Sprintf("anchor: %%ANCHOR%%, origin: %s, quorum: 1, witnesses: [{url: %q, public_key: %q}]", origin, w.URL, w.Key))
	w.knows(origin, d.publicKey())
	d.serve()
	d.awaitReady()
	d.awaitCosigned(w)
	d.terminate()
	key := filepath.Join(d.dir, "audit.pub")
	check(t, os.WriteFile(key, []byte(d.publicKey()), 0o600))
	verified := d.command("audit", "verify", "--all", "--key", key, "--witness", w.Key, "--quorum", "1", "--known", d.anchor, d.audit)
	if !strings.Contains(verified, " records from the first one on are cosigned by a quorum of the given witnesses") {
		t.Errorf("verify says %s", verified)
	}

	older, err := os.ReadFile(d.audit)
	check(t, err)
	d.serve()
	d.awaitReady()
	for range 20 {
		check(t, d.sign())
	}
	d.awaitCosigned(w)
	d.terminate()
	check(t, os.WriteFile(d.audit, older, 0o600))

	d.refused("the anchor " + d.anchor)
	out, err := exec.Command(program(t, "assertd"), "audit", "verify", "--all", "--key", key, "--known", d.anchor, d.audit).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "dropped: the log ends here") {
		t.Errorf("verify: %v: %s", err, out)
	}
	check(t, os.Remove(d.anchor)) // the witness still remembers
	size := d.refused("the witness " + w.Name)

	tooMuch := exec.Command(program(t, "assertd"), "audit", "accept-rollback", "--config", d.config, "--size", size+"0", "--reason", "a test")
	if out, err := tooMuch.CombinedOutput(); err == nil || !strings.Contains(string(out), "nobody can remember") {
		t.Errorf("a size that the witness does not remember: %v: %s", err, out)
	}
	d.command("audit", "accept-rollback", "--config", d.config, "--size", size, "--reason", "a test")
	next := origin + "/2"
	replace(t, d.config, "origin: "+origin, "origin: "+next)
	w.knows(next, d.publicKey())
	d.serve()
	d.awaitReady()
	d.awaitCosigned(w)
	d.terminate()
	verified = d.command("audit", "verify", "--all", "--key", key, "--key", d.publicKey(), "--witness", w.Key, d.audit)
	if !strings.Contains(verified, "1 line accepts a rollback") {
		t.Errorf("verify says %s", verified)
	}
}

// refused starts the daemon, which must exit because of who remembers more. It
// returns the size to acknowledge.
func (d *daemon) refused(by string) string {
	d.t.Helper()
	d.serve()
	select {
	case <-d.exited:
	case <-time.After(patience):
		d.t.Fatal("the daemon goes on")
	}
	found := regexp.MustCompile(`the audit log was rolled back: (.*) has a checkpoint over .* --size (\d+)`).FindStringSubmatch(d.log.text())
	if d.process.ProcessState.ExitCode() == 0 || found == nil || !strings.HasPrefix(found[1], by) {
		d.t.Fatalf("exit %d: %s", d.process.ProcessState.ExitCode(), d.log.text())
	}
	return found[2]
}

// replace replaces a text in a file.
func replace(t *testing.T, path, old, text string) {
	t.Helper()
	content, err := os.ReadFile(path)
	check(t, err)
	if !strings.Contains(string(content), old) {
		t.Fatalf("%s has no %q", path, old)
	}
	check(t, os.WriteFile(path, []byte(strings.ReplaceAll(string(content), old, text)), 0o600))
}

// With quorum_required, a frozen witness first costs nothing, then everything,
// and the daemon recovers by itself.
func TestARequiredQuorumOfTheDaemon(t *testing.T) {
	w := newWitness(t, "one.example/w")
	d := newDaemon(t, fmt.Sprintf("origin: %s, quorum: 1, quorum_required: true, quorum_max_age: 6s, witnesses: [{url: %q, public_key: %q}]", origin, w.URL, w.Key))
	w.knows(origin, d.publicKey())
	d.serve()
	d.awaitReady()
	check(t, d.sign())
	w.signal(syscall.SIGSTOP)
	check(t, d.sign())
	eventually(t, "signing is on hold", func() bool { return errors.Is(d.sign(), ipc.CodeAuditUnavailable) })
	if answer := d.awaitAnswer(); answer.Ready || answer.Reason != ipc.ReasonAuditUnavailable {
		t.Errorf("%+v", answer)
	}
	text, err := os.ReadFile(d.audit)
	check(t, err)
	if !strings.Contains(string(text), `"outcome":"failed","code":"audit-unavailable"`) {
		t.Error("the refusal is not recorded")
	}
	eventually(t, "status names the witness", func() bool { return strings.Contains(d.status(), "WITNESS one.example/w FAILED") })
	w.signal(syscall.SIGCONT)
	d.awaitReady()
	check(t, d.sign())
}

// A witness that comes back and remembers more than the log stops a running
// daemon for good.
func TestARollbackFoundWhileServing(t *testing.T) {
	w := newWitness(t, "one.example/w")
	d := newDaemon(t, fmt.Sprintf("origin: %s, quorum: 1, witnesses: [{url: %q, public_key: %q}]", origin, w.URL, w.Key))
	w.knows(origin, d.publicKey())
	d.serve()
	d.awaitReady()
	for range 20 {
		check(t, d.sign())
	}
	d.awaitCosigned(w)
	d.terminate()
	check(t, os.Remove(d.audit))
	w.Kill()
	d.serve()
	d.awaitReady()
	check(t, d.sign())
	w.start()
	eventually(t, "the rollback is found", func() bool { return errors.Is(d.sign(), ipc.CodeAuditRolledBack) })
	if answer := d.awaitAnswer(); answer.Ready || answer.Reason != ipc.ReasonAuditRolledBack {
		t.Errorf("%+v", answer)
	}
}
