package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/jwks"
)

// patience is how long a test waits for something that takes a second or two on
// an idle machine.
const patience = 2 * time.Minute

// daemon is a running assertd process.
type daemon struct {
	*client.Client
	socket  string
	config  string
	jwksURL string // empty where the configuration has no jwks.listen

	process *exec.Cmd
	log     *journal
	exited  chan struct{} // closed when the process has ended
	token   token
	fixed   string // configuration from the harness
	own     string // configuration from the test
}

// start runs a daemon with a token and returns when it is ready. The
// configuration has keys, clients, and jwks; the harness adds the rest. When
// the test ends the daemon must exit with 0.
func start(t *testing.T, k token, configuration string) *daemon {
	t.Helper()
	dir, err := os.MkdirTemp("", "assertd") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	d := &daemon{
		socket: filepath.Join(dir, "s"), config: filepath.Join(dir, "assertd.yaml"),
		log: new(journal), exited: make(chan struct{}), token: k,
	}
	d.fixed = fmt.Sprintf(`
hsm: {module: %q, token: {serial: %q}, pin: {file: %q}, environment: {SOFTHSM2_CONF: %q}, timeout: 10s}
listen: [{socket: %q, mode: "0600"}]
audit: {file: %q}
log: {format: json}
`, k.Module, k.Serial, k.PINFile(), k.ConfFile, d.socket, filepath.Join(dir, "audit.jsonl"))
	d.configure(t, configuration)
	if d.Client, err = client.New(d.socket); err != nil {
		t.Fatal(err)
	}
	d.run(t)
	d.awaitReady(t)
	if strings.Contains(configuration, "\njwks:") {
		var address string
		d.await(t, "address of the JWKS", func() bool { address = d.log.field("publishing", "address"); return address != "" })
		d.jwksURL = "http://" + address + jwks.SetPath
	}
	return d
}

// configure writes the configuration, which must also match the schema.
func (d *daemon) configure(t *testing.T, configuration string) {
	t.Helper()
	if err := validate(t, []byte(d.fixed+configuration)); err != nil {
		t.Error(err)
	}
	d.own = configuration
	if err := os.WriteFile(d.config, []byte(d.fixed+configuration), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (d *daemon) run(t *testing.T) {
	t.Helper()
	d.process = exec.Command(binary(t, "assertd"), "serve", "--config", d.config)
	d.process.Env, d.process.Stderr = environment(), d.log
	if err := d.process.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(d.exited)
		_ = d.process.Wait() // stop checks the exit code
	}()
	t.Cleanup(func() { d.stop(t) })
}

// stop stops the daemon as an init system does.
func (d *daemon) stop(t *testing.T) {
	d.Close()
	_ = d.process.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.exited:
	case <-time.After(patience):
		_ = d.process.Process.Kill()
		<-d.exited
		t.Error("assertd did not stop on SIGTERM")
	}
	if code := d.process.ProcessState.ExitCode(); code != 0 {
		t.Errorf("assertd: %v", d.process.ProcessState)
	}
	log := d.log.text()
	if strings.Contains(log, d.token.PIN) || strings.Contains(log, "eyJ") {
		t.Error("assertd logged its PIN or a JWT")
	}
	if t.Failed() {
		t.Logf("assertd's log:\n%s", log)
	}
}

// awaitReady polls GET /v1/ready until the daemon and all of its workers are
// ready. While a worker logs in SoftHSM rewrites the token's file, and assertd
// key generate would not find the token.
func (d *daemon) awaitReady(t *testing.T) {
	t.Helper()
	d.await(t, "readiness", func() bool {
		answer, err := d.Ready(t.Context())
		return err == nil && answer.Ready && !slices.ContainsFunc(answer.Workers, func(w ipc.WorkerState) bool { return w.State != ipc.WorkerReady })
	})
}

// await polls until a condition holds. It fails at the deadline or if the
// daemon exits.
func (d *daemon) await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-d.exited:
			t.Fatalf("assertd exited while the test waited for %s: %v\n%s", what, d.process.ProcessState, d.log.text())
		case <-deadline:
			t.Fatalf("no %s within %v\n%s", what, patience, d.log.text())
		}
	}
}

// assertion gets an assertion through the SDK.
func (d *daemon) assertion(t *testing.T, request ipc.AssertionRequest) ipc.AssertionResponse {
	t.Helper()
	answer, err := d.Assert(t.Context(), request)
	if err != nil {
		t.Fatalf("assertion for %+v: %v", request, err)
	}
	return answer
}

// assertctl runs assertctl and returns its output and exit code.
func (d *daemon) assertctl(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, binary(t, "assertctl"), append([]string{"--socket", d.socket}, args...)...)
	var out, errs bytes.Buffer
	command.Env, command.Stdout, command.Stderr = environment(), &out, &errs
	_ = command.Run() // callers check the exit code
	return out.String(), errs.String(), command.ProcessState.ExitCode()
}

// accessToken gets an access token with assertctl.
func (d *daemon) accessToken(t *testing.T, args ...string) (answer oauthAnswer) {
	t.Helper()
	stdout, stderr, code := d.assertctl(t, append([]string{"token"}, args...)...)
	if err := json.Unmarshal([]byte(stdout), &answer); err != nil || code != 0 || answer.AccessToken == "" {
		t.Fatalf("assertctl token: exit code %d, %v: %s%s", code, err, stdout, stderr)
	}
	return answer
}

// environment keeps the race detector from sleeping for a second when a child
// exits.
func environment() []string { return append(os.Environ(), "GORACE=atexit_sleep_ms=0") }

// journal is a daemon's log.
type journal struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lines.Write(p)
}

func (j *journal) text() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lines.String()
}

// field returns a field of the first entry with this message, or an empty
// string.
func (j *journal) field(message, name string) string {
	for line := range strings.Lines(j.text()) {
		var entry map[string]any
		if json.Unmarshal([]byte(line), &entry) == nil && entry["@message"] == message {
			return fmt.Sprint(entry[name])
		}
	}
	return ""
}
