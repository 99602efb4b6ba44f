package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/ipc/peer"
	"github.com/assertd/assertd/ipc/peer/peertest"
)

// TestMain lets the test binary run as the other process.
func TestMain(m *testing.M) {
	peertest.Main(m, map[string]peertest.Role{
		"ask":       childAsk,       // SOCKET: connect and ask who I am
		"inherited": childInherited, // descriptor 3 is a connection: ask who I am
		"crowd":     childCrowd,     // see descriptors_test.go
		"give":      childGive,      // see identity_test.go
		"impostor":  childImpostor,  // see identity_test.go
	})
}

const whoAmI = "GET /v1/grants HTTP/1.1\r\nHost: assertd\r\nConnection: close\r\n\r\n"

func ask(c net.Conn) error {
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(c, whoAmI); err != nil {
		return err
	}
	_, err := io.Copy(os.Stdout, c)
	return err
}

func childAsk(args []string) error {
	c, err := net.Dial("unix", args[0])
	if err != nil {
		return err
	}
	return ask(c)
}

func childInherited([]string) error {
	c, err := net.FileConn(os.NewFile(3, "connection"))
	if err != nil {
		return err
	}
	return ask(c)
}

// output runs a child that prints one HTTP response.
func output(t testing.TB, cmd *exec.Cmd) reply {
	t.Helper()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if !strings.HasPrefix(string(out), "HTTP/1.1") {
		t.Fatalf("child: %s", out)
	}
	return parseReply(t, out)
}

// fakeService answers from its fields. A nil one answers with an empty value.
type fakeService struct {
	assert func(context.Context, caller.Caller, ipc.AssertionRequest) (ipc.AssertionResponse, error)
	batch  func([]ipc.AssertionRequest) []ipc.BatchResult
	sign   func(ipc.SignRequest) (ipc.SignResponse, error)
	ready  ipc.ReadyResponse
	fail   error // of every call that may fail
}

func (f *fakeService) Assert(ctx context.Context, p caller.Caller, r ipc.AssertionRequest) (ipc.AssertionResponse, error) {
	if f.assert == nil {
		return ipc.AssertionResponse{Assertion: "a.b.c", Grant: r.Grant}, f.fail
	}
	return f.assert(ctx, p, r)
}

func (f *fakeService) AssertBatch(_ context.Context, _ caller.Caller, rs []ipc.AssertionRequest) []ipc.BatchResult {
	if f.batch == nil {
		results := make([]ipc.BatchResult, len(rs))
		for i, r := range rs {
			results[i].Assertion = &ipc.AssertionResponse{Assertion: "a.b.c", Grant: r.Grant}
		}
		return results
	}
	return f.batch(rs)
}

func (f *fakeService) Sign(_ context.Context, _ caller.Caller, r ipc.SignRequest) (ipc.SignResponse, error) {
	if f.sign == nil {
		return ipc.SignResponse{}, f.fail
	}
	return f.sign(r)
}

// Grants returns the caller, like the daemon.
func (f *fakeService) Grants(_ context.Context, p caller.Caller) (ipc.GrantsResponse, error) {
	return ipc.GrantsResponse{Caller: ipc.CallerInfo{Caller: p}, Grants: []ipc.GrantInfo{}}, f.fail
}

func (f *fakeService) Keys(context.Context, caller.Caller) (ipc.KeysResponse, error) {
	return ipc.KeysResponse{Keys: []ipc.KeyInfo{}}, f.fail
}
func (f *fakeService) JWKS(context.Context) ([]byte, error) { return []byte(`{"keys":[]}`), f.fail }
func (f *fakeService) Ready(context.Context, caller.Caller) (ipc.ReadyResponse, error) {
	return f.ready, f.fail
}

// logBook is a logger that tests can read.
type logBook struct {
	mu    sync.Mutex
	lines []string
}

func (l *logBook) add(level, msg string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, level+" "+msg+" "+fmt.Sprint(args...))
}
func (l *logBook) Debug(msg string, args ...any) { l.add("debug", msg, args...) }
func (l *logBook) Info(msg string, args ...any)  { l.add("info", msg, args...) }
func (l *logBook) Warn(msg string, args ...any)  { l.add("warn", msg, args...) }
func (l *logBook) Error(msg string, args ...any) { l.add("error", msg, args...) }

func (l *logBook) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

// running is a server under test.
type running struct {
	t      testing.TB
	server *Server
	socket string
	log    *logBook
	http   *http.Client
	stop   context.CancelFunc
	done   chan error
}

// serve runs a server until the test ends, on a socket that anyone may open.
func serve(t testing.TB, service Service, opts Options) *running {
	t.Helper()
	log := &logBook{}
	if opts.Logger == nil {
		opts.Logger = log
	}
	r := start(t, New(service, opts))
	r.log = log
	return r
}

func start(t testing.TB, server *Server) *running {
	t.Helper()
	socket := filepath.Join(peertest.Dir(t), "s")
	l, err := peer.Listen(peer.Socket{Path: socket, Mode: 0o666})
	if err != nil {
		t.Fatal(err)
	}
	r := &running{t: t, server: server, socket: socket, done: make(chan error, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	r.stop = cancel
	go func() { r.done <- r.server.Serve(ctx, l) }()
	r.http = unixClient(socket)
	t.Cleanup(func() {
		r.http.CloseIdleConnections()
		cancel()
		select {
		case err := <-r.done:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(30 * time.Second):
			t.Error("the server did not stop")
		}
	})
	return r
}

// stopped stops the server and returns what Serve returned.
func (r *running) stopped() error {
	r.stop()
	err := <-r.done
	r.done <- nil
	return err
}

func unixClient(socket string) *http.Client {
	return &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
		MaxIdleConnsPerHost: 64,
	}}
}

type reply struct {
	*http.Response
	body []byte
}

func (r *running) do(method, path, body string, header ...string) reply {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, "http://assertd"+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if body == "" {
		req.Body, req.ContentLength = nil, 0
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := r.http.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return reply{resp, data}
}

// problem checks that the reply is a complete problem document with the code.
func (r reply) problem(t testing.TB, code ipc.Code) ipc.Problem {
	t.Helper()
	var p ipc.Problem
	if err := json.Unmarshal(r.body, &p); err != nil {
		t.Fatalf("status %d: %v in %q", r.StatusCode, err, r.body)
	}
	if p.Code != code || r.StatusCode != code.Status() || p.Status != r.StatusCode || p.Type != code.Type() || p.Title != code.Title() {
		t.Fatalf("want %s, got status %d: %s", code, r.StatusCode, r.body)
	}
	if got := r.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type %q", got)
	}
	if id := r.Header.Get("X-Request-Id"); id == "" || id != p.RequestID {
		t.Errorf("X-Request-Id %q, request_id %q", id, p.RequestID)
	}
	if r.Header.Get("Date") == "" {
		t.Error("no Date")
	}
	again := p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable
	if has := r.Header.Get("Retry-After") != ""; again && (!has || p.RetryAfterSeconds == 0) {
		t.Errorf("status %d does not say when to try again", p.Status)
	}
	return p
}

// raw sends bytes on a fresh connection and reads the response.
func (r *running) raw(request string) reply {
	r.t.Helper()
	c := r.dial()
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		r.t.Fatal(err)
	}
	return readReply(r.t, c)
}

func (r *running) dial() *net.UnixConn {
	r.t.Helper()
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: r.socket, Net: "unix"})
	if err != nil {
		r.t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		r.t.Fatal(err)
	}
	return c
}

func readReply(t testing.TB, c net.Conn) reply {
	t.Helper()
	data, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("%v after %q", err, data)
	}
	return parseReply(t, data)
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}

func parseReply(t testing.TB, data []byte) reply {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(data)), nil)
	if err != nil {
		t.Fatalf("%v in %q", err, data)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%v in %q", err, data)
	}
	return reply{resp, body}
}
