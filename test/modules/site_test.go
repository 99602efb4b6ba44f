package modules

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/ipc"
)

// binariesVariable names the directory with the built programs, for the
// processes that a test starts in namespaces.
const binariesVariable = "ASSERTD_BINARIES"

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run builds the programs. They shift their clock, so that keys rotate.
func run(m *testing.M) int {
	if os.Getenv(binariesVariable) != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "assertd-modules-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-tags", "clockshift", "-o", dir, "github.com/assertd/assertd/cmd/assertd")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		panic("build: " + err.Error())
	}
	if err := os.Setenv(binariesVariable, dir); err != nil {
		panic(err)
	}
	return m.Run()
}

// site is a daemon on a module's token, with one key set for each algorithm.
type site struct {
	t           *testing.T
	m           *Module
	dir         string
	sets        []*keySet
	checkpoints bool          // the token makes keys that sign checkpoints
	shift       time.Duration // of the programs' clock
	serving     *exec.Cmd
	client      *client.Client
}

// keySet is the key set of one algorithm. Its name is the algorithm's in lower
// case.
type keySet struct {
	alg     string
	kids    []string // of its versions, the oldest first
	revoked []string
}

func (k *keySet) name() string { return strings.ToLower(k.alg) }

func newSite(t *testing.T, m *Module, algorithms []string) *site {
	s := &site{t: t, m: m, dir: shortDir(t), checkpoints: m.Only == nil}
	for _, alg := range algorithms {
		s.sets = append(s.sets, &keySet{alg: alg})
	}
	s.write("pin", m.PIN+"\n")
	s.write("wrong", "9999\n")
	s.configure()
	t.Cleanup(s.showLog)
	return s
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

func (s *site) write(name, text string) {
	s.t.Helper()
	check(s.t, os.WriteFile(s.path(name), []byte(text), 0o600))
}

// configure writes the configuration.
func (s *site) configure() {
	s.t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "hsm:\n  module: %s\n  token: {label: %q}\n  pin: {file: %s}\n  workers: 1\n  timeout: 20s\n  environment:\n    LC_ALL: C\n",
		s.m.Path, s.m.Label, s.path("pin"))
	for _, name := range slices.Sorted(maps.Keys(s.m.Environment)) {
		fmt.Fprintf(&text, "    %s: %q\n", name, s.m.Environment[name])
	}
	text.WriteString("keys:\n")
	if s.checkpoints {
		fmt.Fprintf(&text, "  audit: {alg: ES256, use: raw%s}\n", s.accept())
	}
	for _, set := range s.sets {
		fmt.Fprintf(&text, "  %s: {alg: %s, use: assertion, %srotation: {publish_before: 10m, keep_after: 10m, revoke: [%s]}%s}\n",
			set.name(), set.alg, bits(set.alg), strings.Join(set.revoked, ", "), s.accept())
	}
	fmt.Fprintf(&text, "clients:\n  - name: test\n    match: {uid: %d}\n    grants:\n", os.Getuid())
	for _, set := range s.sets {
		fmt.Fprintf(&text, "      - {name: %[1]s, key: %[1]s, profile: private_key_jwt, client_id: c1, audiences: [https://as.example], lifetime: {max: 5m}}\n",
			set.name())
	}
	fmt.Fprintf(&text, "listen: [{socket: %s, mode: \"0600\"}]\naudit: {file: %s%s}\nsandbox: {network: %s, write: [%s]}\n",
		s.path("sock"), s.path("audit.jsonl"), s.checkpointKey(), cmp.Or(s.m.Network, "unix"), strings.Join(s.m.Write, ", "))
	s.write("assertd.yaml", text.String())
}

func (s *site) accept() string {
	if !s.m.Imported {
		return ""
	}
	return ", accept: imported"
}

func (s *site) checkpointKey() string {
	if !s.checkpoints {
		return ""
	}
	return ", checkpoint_key: audit, checkpoint_every: 1s"
}

// bits keeps RSA keys small: a simulated TPM takes seconds for one.
func bits(alg string) string {
	if rsa := strings.HasPrefix(alg, "RS") || strings.HasPrefix(alg, "PS"); rsa {
		return "bits: 2048, "
	}
	return ""
}

// try runs assertd on the configuration, at the shifted time.
func (s *site) try(args ...string) (string, error) {
	command := exec.CommandContext(s.t.Context(), filepath.Join(os.Getenv(binariesVariable), "assertd"),
		append(args, "--config", s.path("assertd.yaml"))...)
	command.Env = s.environ()
	var notes strings.Builder
	command.Stderr = &notes
	out, err := command.Output()
	if err != nil {
		return string(out) + notes.String(), err
	}
	return string(out), nil
}

func (s *site) environ() []string {
	return append(s.m.environ(), "ASSERTD_CLOCK_SHIFT="+s.shift.String())
}

func (s *site) assertd(args ...string) string {
	s.t.Helper()
	out, err := s.try(args...)
	if err != nil {
		s.t.Fatalf("assertd %v: %v: %s", args, err, out)
	}
	return out
}

// serve starts the daemon and waits until it and its worker are ready.
func (s *site) serve() {
	s.t.Helper()
	log, err := os.OpenFile(s.path("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	check(s.t, err)
	defer log.Close()
	s.serving = exec.Command(filepath.Join(os.Getenv(binariesVariable), "assertd"), "serve", "--config", s.path("assertd.yaml"))
	s.serving.Stderr, s.serving.Env = log, s.environ()
	check(s.t, s.serving.Start())
	s.t.Cleanup(s.kill)
	s.client, err = client.New(s.path("sock"))
	check(s.t, err)
	s.t.Cleanup(s.client.Close)
	s.awaitReady()
}

func (s *site) awaitReady() {
	s.t.Helper()
	eventually(s.t, "the daemon is ready", func() bool {
		answer, err := s.client.Ready(s.t.Context())
		return err == nil && answer.Ready &&
			!slices.ContainsFunc(answer.Workers, func(w ipc.WorkerState) bool { return w.State != ipc.WorkerReady })
	})
}

// stop stops the daemon in order.
func (s *site) stop() {
	s.t.Helper()
	check(s.t, s.serving.Process.Signal(syscall.SIGTERM))
	check(s.t, s.serving.Wait())
}

// beside does what takes another process on the token, without the daemon where
// the module lets only one in.
func (s *site) beside(do func()) {
	s.t.Helper()
	if s.m.Alone {
		s.stop()
		defer s.serve()
	}
	do()
}

func (s *site) kill() {
	if s.serving.ProcessState == nil {
		_ = s.serving.Process.Kill()
		_ = s.serving.Wait()
	}
}

// killWorker kills the daemon's child that has the module open.
func (s *site) killWorker() {
	s.t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", s.serving.Process.Pid))
	check(s.t, err)
	for _, list := range lists {
		text, err := os.ReadFile(list)
		check(s.t, err)
		for child := range strings.FieldsSeq(string(text)) {
			if line, _ := os.ReadFile("/proc/" + child + "/cmdline"); strings.Contains(string(line), "hsm-worker") {
				pid, err := strconv.Atoi(child)
				check(s.t, err)
				check(s.t, syscall.Kill(pid, syscall.SIGKILL))
				return
			}
		}
	}
	s.t.Fatal("the daemon has no worker")
}

// versions reads the versions of the key sets that the token has.
func (s *site) versions() {
	s.t.Helper()
	var listed struct {
		Sets []struct {
			Name     string
			Versions []struct{ Kid string }
		} `json:"key_sets"`
	}
	check(s.t, json.Unmarshal([]byte(s.assertd("key", "list", "--json")), &listed))
	for _, found := range listed.Sets {
		for _, set := range s.sets {
			if set.name() != found.Name {
				continue
			}
			set.kids = nil
			for _, version := range found.Versions {
				set.kids = append(set.kids, version.Kid)
			}
		}
	}
}

// showLog shows the end of the daemons' log if the test failed.
func (s *site) showLog() {
	if !s.t.Failed() {
		return
	}
	text, _ := os.ReadFile(s.path("log"))
	lines := strings.Split(string(text), "\n")
	s.t.Logf("%s", strings.Join(lines[max(0, len(lines)-30):], "\n"))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within two minutes: %s", what)
		}
	}
}
