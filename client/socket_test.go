package client

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/assertd/assertd/ipc"
)

func TestSocketForms(t *testing.T) {
	longest := "/" + strings.Repeat("x", maxSocketPath-1)
	for socket, want := range map[string]string{
		"/run/a.sock": "/run/a.sock", "dev/a.sock": "dev/a.sock", "unix:///run/a.sock": "/run/a.sock",
		longest: longest, "unix://" + longest: longest,
	} {
		c, err := New(socket)
		if err != nil || c.pool.path != want {
			t.Errorf("New(%q) = %v, %v", socket, c, err)
		}
	}
	for socket, says := range map[string]string{
		"": DefaultSocket, "@abstract": DefaultSocket, "unix://": DefaultSocket, "unix://@abstract": DefaultSocket,
		"unix://run/a.sock": "three slashes", "https://localhost": "Unix sockets only",
		longest + "y": "has 108 bytes, and a Unix socket allows 107",
	} {
		if _, err := New(socket); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("New(%q) = %v, want %q", socket, err, says)
		}
	}
}

// The scripts in test/e2e do the same with a real daemon.
func TestWrongSocketIsNamed(t *testing.T) {
	only := func(path string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == path {
				answer(w, ipc.HealthResponse{Version: "v1"})
				return
			}
			refuse(w, ipc.NewProblem(ipc.CodeNotFound, "Only the other socket has this path."))
		}
	}
	c := serve(t, only("/healthz")).dial(t)
	if _, err := c.Assert(t.Context(), ipc.AssertionRequest{}); !errors.Is(err, ErrWrongSocket) || !errors.Is(err, ipc.CodeNotFound) || !strings.HasSuffix(err.Error(), "is the operator socket; callers use another one, by default "+DefaultSocket) {
		t.Errorf("a caller on the operator socket: %v", err)
	}
	callers := serve(t, only("/v1/health"))
	o, err := NewOperator(callers.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if err := o.Reload(t.Context()); !errors.Is(err, ErrWrongSocket) || !strings.HasSuffix(err.Error(), "is a callers' socket; operators use another one, by default "+DefaultOperatorSocket) {
		t.Errorf("an operator on a callers' socket: %v", err)
	}
	if _, err := callers.dial(t).Assert(t.Context(), ipc.AssertionRequest{}); errors.Is(err, ErrWrongSocket) || !errors.Is(err, ErrVersion) {
		t.Errorf("an old daemon: %v", err)
	}
}
