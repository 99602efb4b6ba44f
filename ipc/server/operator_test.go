package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/ipc/peer"
	"github.com/assertd/assertd/ipc/peer/peertest"
)

// fakeOperator answers from its fields.
type fakeOperator struct {
	reloadErr, reopenErr error
	retriedBy            caller.Caller
	drained              chan struct{}
	frozen               ipc.FreezeRequest
}

func (f *fakeOperator) Fleet(context.Context) ipc.FleetResponse {
	return ipc.FleetResponse{Daemons: []ipc.FleetDaemon{}}
}

func (f *fakeOperator) Status(context.Context) (ipc.StatusResponse, error) {
	return ipc.StatusResponse{Version: "v1", PID: 7, Started: time.Unix(1, 0)}, nil
}
func (f *fakeOperator) Reload(context.Context) error { return f.reloadErr }
func (f *fakeOperator) RetryPIN(_ context.Context, from caller.Caller) error {
	f.retriedBy = from
	return f.reloadErr
}
func (f *fakeOperator) ReopenLogs(context.Context) error { return f.reopenErr }
func (f *fakeOperator) Freeze(_ context.Context, from caller.Caller, req ipc.FreezeRequest) (ipc.FreezeResponse, error) {
	f.frozen = req
	return ipc.FreezeResponse{Freeze: ipc.Freeze{FreezeTarget: req.FreezeTarget, By: ipc.FreezeBy{PID: from.PID}}}, f.reloadErr
}
func (f *fakeOperator) Thaw(_ context.Context, from caller.Caller, target ipc.FreezeTarget) (ipc.ThawResponse, error) {
	return ipc.ThawResponse{Thawed: ipc.Freeze{FreezeTarget: target, By: ipc.FreezeBy{PID: from.PID}}}, f.reloadErr
}
func (f *fakeOperator) Drain(context.Context) { close(f.drained) }

func serveOperator(t *testing.T, operator Operator) (*http.Client, string) {
	t.Helper()
	socket := filepath.Join(peertest.Dir(t), "operator.sock")
	l, err := peer.Listen(peer.Socket{Path: socket, Mode: OperatorMode})
	if err != nil {
		t.Fatal(err)
	}
	monitor := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "monitor "+r.URL.Path) })
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- NewOperatorServer(operator, OperatorOptions{Monitor: monitor}).Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return unixClient(socket), socket
}

// askOperator sends a request and returns the status and the body of the
// response.
func askOperator(t *testing.T, c *http.Client, method, path string) (int, string) {
	t.Helper()
	request, err := http.NewRequest(method, "http://assertd"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestOperator(t *testing.T) {
	operator := &fakeOperator{drained: make(chan struct{})}
	client, socket := serveOperator(t, operator)
	info, err := os.Stat(socket)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket has %v, %v; want mode 0600", info.Mode(), err)
	}
	for _, test := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/v1/status", 200, `"version":"v1"`},
		{"GET", "/v1/metrics", 200, "monitor /metrics"},
		{"GET", "/metrics", 200, "monitor /metrics"},
		{"GET", "/healthz", 200, "monitor /healthz"},
		{"GET", "/readyz", 200, "monitor /readyz"},
		{"POST", "/v1/reload", 200, `"reloaded":true`},
		{"GET", "/v1/reload", 405, "method-not-allowed"},
		{"POST", "/v1/retry-pin", 200, `"reloaded":true`},
		{"POST", "/v1/reopen-logs", 200, `"reopened":true`},
		{"POST", "/v1/assertions", 404, "not-found"},
		{"POST", "/v1/drain", 202, `"draining":true`},
	} {
		status, body := askOperator(t, client, test.method, test.path)
		if status != test.status || !strings.Contains(body, test.body) {
			t.Errorf("%s %s: %d %s, want %d with %s", test.method, test.path, status, body, test.status, test.body)
		}
	}
	<-operator.drained
	if operator.retriedBy.PID != int32(os.Getpid()) {
		t.Errorf("the retry came from %+v", operator.retriedBy)
	}
}

// TestOperatorSeesErrors: unlike responses to callers, that to a refused reload
// has the whole error.
func TestOperatorSeesErrors(t *testing.T) {
	client, _ := serveOperator(t, &fakeOperator{
		reloadErr: errors.New("assertd.yaml:7:3: unknown setting"), reopenErr: errors.New("audit.jsonl: permission denied"),
	})
	if status, body := askOperator(t, client, "POST", "/v1/reopen-logs"); status != http.StatusServiceUnavailable || !strings.Contains(body, "permission denied") {
		t.Errorf("%d %s", status, body)
	}
	status, body := askOperator(t, client, "POST", "/v1/reload")
	var problem ipc.Problem
	if err := json.Unmarshal([]byte(body), &problem); err != nil {
		t.Fatal(err)
	}
	if status != http.StatusConflict || !errors.Is(&problem, ipc.CodeReloadRefused) || problem.Detail != "assertd.yaml:7:3: unknown setting" {
		t.Errorf("%d %+v", status, problem)
	}
}

func TestOperatorDocumentHasEveryRoute(t *testing.T) {
	paths := readPaths(t, ipc.OperatorOpenAPI())
	for _, r := range operatorRoutes {
		if _, ok := paths[r.path][strings.ToLower(r.method)]; !ok {
			t.Errorf("%s %s is not in the document", r.method, r.path)
		}
		delete(paths, r.path)
	}
	for path := range paths {
		t.Errorf("%s is only in the document", path)
	}
}

// TestOperatorRefusesOthers: another user gets no response, even if the
// socket's mode would let it connect. Only root can become another user.
func TestOperatorRefusesOthers(t *testing.T) {
	_, socket := serveOperator(t, &fakeOperator{})
	if err := os.Chmod(socket, 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := peertest.Command(t, peertest.Program(t, "stranger"), "ask", socket)
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = peertest.As(54321, 54321)
	}
	out, _ := cmd.Output() // the stranger may see a reset
	if answered := strings.HasPrefix(string(out), "HTTP/1.1"); answered == (os.Geteuid() == 0) {
		t.Errorf("answered: %v: %s", answered, out)
	}
}
