package daemon

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/worker/workertest"
	"github.com/assertd/assertd/internal/atomicfile/writertest"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/logging/logtest"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/peer/peertest"
	"github.com/assertd/assertd/test/softhsm"
)

// running is a whole daemon on a token of its own, until the test ends.
type running struct {
	*Daemon
	*logtest.Journal
	t    *testing.T
	dir  string // every user can read it
	path string // of the configuration
	head string // what every configuration of the daemon begins with
}

// serveDaemon runs a daemon with the key sets "one" and "two", of which each
// has a version, and with clients and listeners as given. DIR in them is its
// directory.
func serveDaemon(t *testing.T, rest string) *running {
	t.Helper()
	r := &running{t: t, Journal: &logtest.Journal{}, dir: peertest.Dir(t)}
	r.path, r.head = filepath.Join(r.dir, "assertd.yaml"), head(t)
	r.write(rest)
	r.run(func() (*config.Config, error) { return config.Load(r.path) })
	return r
}

// run runs the daemon until the test ends.
func (r *running) run(load func() (*config.Config, error)) {
	t := r.t
	t.Helper()
	c, err := load()
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	r.Daemon, err = New(Options{
		Config: c, Reread: load, Logger: r.Journal, Version: "test",
		WorkerCommand: workertest.Command(), WriterCommand: writertest.Command(), Now: time.Now, Ready: func() { close(ready) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatalf("the daemon ended: %v\n%s", err, strings.Join(r.Take(), "\n"))
	}
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the daemon ended with %v", err)
		}
	})
}

// head makes a token with both keys and gives the part of a configuration that
// is about it.
func head(t *testing.T) string {
	t.Helper()
	k := softhsm.New(t)
	pin, err := hsm.PINSource{File: k.PINFile()}.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer pin.Zero()
	token, err := hsm.Open(hsm.Config{Module: k.Module, Label: k.Label}, pin)
	if err != nil {
		t.Fatal(err)
	}
	defer token.Close()
	for _, set := range []string{"one", "two"} {
		if _, err := token.Generate(hsm.Spec{Label: keyset.Label(set, time.Now()), Type: hsm.P256}); err != nil {
			t.Fatal(err)
		}
	}
	return "hsm: {module: " + k.Module + ", token: {label: " + k.Label + "}, pin: {file: " + k.PINFile() + "}, " +
		"environment: {SOFTHSM2_CONF: " + k.ConfFile + "}, workers: 1}\n" +
		"keys:\n  one: {alg: ES256, use: assertion}\n  two: {alg: ES256, use: assertion}\n" +
		"audit: {file: DIR/audit.jsonl}\nbudgets: {file: DIR/budgets.json}\n"
}

// write replaces the configuration.
func (r *running) write(rest string) {
	r.t.Helper()
	text := strings.ReplaceAll(r.head+rest, "DIR", r.dir)
	if err := os.WriteFile(r.path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// reply is what a daemon answered.
type reply struct {
	Status int
	Body   json.RawMessage
}

// ask makes a request on a socket; body "" makes it a GET.
func ask(dial func() (net.Conn, error), path, body string) (reply, error) {
	web := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return dial() },
	}}
	request, err := http.NewRequest(http.MethodGet, "http://assertd"+path, nil)
	if body != "" {
		request, err = http.NewRequest(http.MethodPost, "http://assertd"+path, bytes.NewReader([]byte(body)))
	}
	if err != nil {
		return reply{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := web.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, text}, err
}

func dialer(socket string) func() (net.Conn, error) {
	return func() (net.Conn, error) { return net.Dial("unix", socket) }
}

// code is the problem's code, "" where the request was allowed.
func (r reply) code(t testing.TB) ipc.Code {
	t.Helper()
	if r.Status == http.StatusOK {
		return ""
	}
	var problem ipc.Problem
	if err := json.Unmarshal(r.Body, &problem); err != nil || problem.Code == "" {
		t.Errorf("%d %s: no problem: %v", r.Status, r.Body, err)
	}
	return problem.Code
}

// claims are those of the assertion in a reply.
func (r reply) claims(t testing.TB) map[string]any {
	t.Helper()
	var answer ipc.AssertionResponse
	var claims map[string]any
	err := json.Unmarshal(r.Body, &answer)
	if parts := strings.Split(answer.Assertion, "."); err == nil && len(parts) == 3 {
		var text []byte
		if text, err = base64.RawURLEncoding.DecodeString(parts[1]); err == nil {
			err = json.Unmarshal(text, &claims)
		}
	}
	if err != nil || claims == nil {
		t.Errorf("%d %s: no assertion: %v", r.Status, r.Body, err)
	}
	return claims
}
