package e2e

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/dev"
	"github.com/assertd/assertd/ipc"
)

// auditOrigin is the name under which the daemon signs checkpoints.
const auditOrigin = "assertd/audit"

// site is a token, a configuration, and a daemon, for load tests.
type site struct {
	t        *testing.T
	layout   dev.Layout
	log      string // the audit log
	verifier note.Verifier
}

// newSite creates a site without rate limits. Its audit log has its own
// directory and signed checkpoints.
func newSite(t *testing.T) *site {
	t.Helper()
	layout, err := dev.LayoutOf(t.TempDir())
	check(t, err)
	module, err := dev.FindModule()
	check(t, err)
	s := &site{t: t, layout: layout, log: filepath.Join(t.TempDir(), "audit.jsonl")}
	s.assertd("dev-prepare", "--dir", layout.Dir, "--module", module)
	text, err := os.ReadFile(layout.Config)
	check(t, err)
	config := regexp.MustCompile(`(?m)^ *rate: .*\n`).ReplaceAllString(string(text), "")
	config = regexp.MustCompile(`(?m)^audit: .*`).ReplaceAllLiteralString(config, `audit: {file: "`+s.log+`", checkpoint_key: audit, checkpoint_every: 1s, interval: 20ms}`)
	config = strings.Replace(config, "\nclients:", "\n  audit: {alg: ES256, use: raw}\n\nclients:", 1)
	check(t, os.WriteFile(layout.Config, []byte(config), 0o600))
	s.assertd("key", "generate", "audit", "--config", layout.Config)
	s.verifier = s.checkpointVerifier()
	return s
}

// assertd runs assertd and returns its output.
func (s *site) assertd(args ...string) string {
	s.t.Helper()
	out, err := exec.Command(filepath.Join(binaries, "assertd"), args...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("assertd %v: %v: %s", args, err, out)
	}
	return string(out)
}

func (s *site) checkpointVerifier() note.Verifier {
	s.t.Helper()
	block, _ := pem.Decode([]byte(s.assertd("key", "show", "audit", "--pem", "--config", s.layout.Config)))
	if block == nil {
		s.t.Fatal("no public key for checkpoints")
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	check(s.t, err)
	verifier, err := audit.NewVerifier(auditOrigin, public)
	check(s.t, err)
	return verifier
}

// configure replaces a part of the configuration.
func (s *site) configure(old, new string) {
	s.t.Helper()
	text, err := os.ReadFile(s.layout.Config)
	check(s.t, err)
	if !strings.Contains(string(text), old) {
		s.t.Fatalf("the configuration lacks %q", old)
	}
	check(s.t, os.WriteFile(s.layout.Config, []byte(strings.Replace(string(text), old, new, 1)), 0o600))
}

// serve starts the daemon and waits until it is ready.
func (s *site) serve() *exec.Cmd {
	s.t.Helper()
	return s.serveWith((*exec.Cmd).Start)
}

// serveWith is serve with another way to start a process.
func (s *site) serveWith(start func(*exec.Cmd) error) *exec.Cmd {
	s.t.Helper()
	process := s.launch(start)
	s.awaitReady()
	return process
}

// launch is serveWith without the wait.
func (s *site) launch(start func(*exec.Cmd) error) *exec.Cmd {
	s.t.Helper()
	stderr, err := os.OpenFile(filepath.Join(s.layout.Dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	check(s.t, err)
	defer stderr.Close()
	process := exec.Command(filepath.Join(binaries, "assertd"), "serve", "--config", s.layout.Config)
	process.Stderr = stderr
	check(s.t, start(process))
	s.t.Cleanup(func() {
		if process.ProcessState == nil {
			_ = process.Process.Kill()
			_ = process.Wait()
		}
	})
	return process
}

func (s *site) awaitReady() {
	s.t.Helper()
	web := &http.Client{Timeout: time.Second, Transport: unixTransport(s.layout.Operator)}
	defer web.CloseIdleConnections()
	eventually(s.t, "the daemon is ready", func() bool {
		response, err := web.Get("http://assertd/readyz")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

// load is a number of callers that ask for assertions.
type load struct {
	stop     context.CancelFunc
	callers  sync.WaitGroup
	released atomic.Int64

	mu      sync.Mutex
	jtis    []string
	refused map[ipc.Code]int
}

// newLoad starts callers; they stop at end.
func (s *site) newLoad(callers int) *load {
	s.t.Helper()
	ctx, stop := context.WithCancel(s.t.Context())
	l := &load{stop: stop, refused: make(map[ipc.Code]int)}
	for range callers {
		l.callers.Go(func() { l.call(ctx, s) })
	}
	s.t.Cleanup(l.end)
	return l
}

func (l *load) call(ctx context.Context, s *site) {
	web := &http.Client{Timeout: 10 * time.Second, Transport: unixTransport(s.layout.Socket)}
	defer web.CloseIdleConnections()
	for ctx.Err() == nil {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://assertd/v1/assertions", strings.NewReader("{}"))
		if err != nil {
			s.t.Error(err)
			return
		}
		request.Header.Set("Content-Type", "application/json")
		response, err := web.Do(request)
		if err != nil {
			time.Sleep(time.Millisecond) // the daemon was killed
			continue
		}
		l.note(response)
	}
}

// note counts a response, unless it is incomplete.
func (l *load) note(response *http.Response) {
	defer response.Body.Close()
	var answer struct {
		Assertion, JTI string
		Code           ipc.Code
	}
	if json.NewDecoder(response.Body).Decode(&answer) != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if answer.Assertion != "" {
		l.jtis = append(l.jtis, answer.JTI)
		l.released.Add(1)
	} else {
		l.refused[answer.Code]++
	}
}

func (l *load) refusals(code ipc.Code) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refused[code]
}

func (l *load) end() {
	l.stop()
	l.callers.Wait()
}

// jtisOnRecord returns the jtis of released assertions in the log and its
// archives.
func (s *site) jtisOnRecord() map[string]bool {
	s.t.Helper()
	files, err := audit.Files(s.log)
	check(s.t, err)
	found := make(map[string]bool)
	for _, file := range files {
		text, err := os.ReadFile(file)
		check(s.t, err)
		for line := range strings.Lines(string(text)) {
			var record struct{ JTI, Outcome string }
			if json.Unmarshal([]byte(line), &record) == nil && record.Outcome == audit.OutcomeAllowed {
				found[record.JTI] = true
			}
		}
	}
	return found
}

// verify verifies that the log is complete and in order.
func (s *site) verify() audit.Report {
	s.t.Helper()
	files, err := audit.Files(s.log)
	check(s.t, err)
	report, err := audit.Verify(s.t.Context(), files, audit.VerifyOptions{Verifiers: []note.Verifier{s.verifier}})
	check(s.t, err)
	return report
}

// recorded fails the test if a released assertion is not in the log.
func (s *site) recorded(jtis []string) {
	s.t.Helper()
	found := s.jtisOnRecord()
	for _, jti := range jtis {
		if !found[jti] {
			s.t.Errorf("assertion %s was released but is not in the log", jti)
		}
	}
}

func unixTransport(socket string) *http.Transport {
	return &http.Transport{MaxIdleConnsPerHost: 4, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	within(t, 20*time.Second, what, done)
}

// within is eventually with another limit.
func within(t testing.TB, limit time.Duration, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("timed out after %v: %s", limit, what)
		}
	}
}

// showLog shows the end of the daemons' log if the test failed.
func (s *site) showLog() {
	if !s.t.Failed() {
		return
	}
	text, err := os.ReadFile(filepath.Join(s.layout.Dir, "log"))
	lines := strings.Split(string(text), "\n")
	s.t.Logf("%v\n%s", err, strings.Join(lines[max(0, len(lines)-30):], "\n"))
}

// ready asks the daemon whether it can sign.
func (s *site) ready() (answer ipc.ReadyResponse) {
	s.t.Helper()
	web := &http.Client{Timeout: 5 * time.Second, Transport: unixTransport(s.layout.Socket)}
	defer web.CloseIdleConnections()
	response, err := web.Get("http://assertd/v1/ready")
	check(s.t, err)
	defer response.Body.Close()
	check(s.t, json.NewDecoder(response.Body).Decode(&answer))
	return answer
}
