package client

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assertd/assertd/ipc"
)

func TestErrorsIsMatchesEveryCode(t *testing.T) {
	for _, code := range ipc.Codes() {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) { refuse(w, ipc.NewProblem(code, "why")) })
		_, err := s.dial(t).Assert(t.Context(), ipc.AssertionRequest{})
		if !errors.Is(err, code) {
			t.Errorf("%s: got %v", code, err)
		}
	}
}

func TestRetriesOnceAndOnlyAfter503(t *testing.T) {
	for _, row := range []struct {
		name    string
		problem *ipc.Problem
		calls   int64
	}{
		{"unavailable", ipc.NewProblem(ipc.CodeHSMUnavailable, "").WithRetryAfter(10 * time.Millisecond), 2},
		{"budget", ipc.NewProblem(ipc.CodeBudgetUnavailable, "").WithRetryAfter(10 * time.Millisecond), 2},
		{"for long", ipc.NewProblem(ipc.CodeHSMUnavailable, "").WithRetryAfter(time.Hour), 1},
		{"rate limited", ipc.NewProblem(ipc.CodeRateLimited, "").WithRetryAfter(10 * time.Millisecond), 1},
		{"denied", ipc.NewProblem(ipc.CodeAudienceNotAllowed, ""), 1},
		{"internal", ipc.NewProblem(ipc.CodeInternal, ""), 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) { refuse(w, row.problem) })
			if _, err := s.dial(t).Assert(t.Context(), ipc.AssertionRequest{}); !errors.Is(err, row.problem.Code) {
				t.Errorf("got %v", err)
			}
			if s.calls.Load() != row.calls {
				t.Errorf("asked %d times, want %d", s.calls.Load(), row.calls)
			}
		})
	}
}

func TestDoesNotWaitPastTheDeadline(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		refuse(w, ipc.NewProblem(ipc.CodeOverloaded, "").WithRetryAfter(1500*time.Millisecond))
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	start := time.Now()
	if _, err := s.dial(t).Assert(ctx, ipc.AssertionRequest{}); !errors.Is(err, ipc.CodeOverloaded) {
		t.Errorf("got %v, want the daemon's error", err)
	}
	if waited := time.Since(start); waited > 900*time.Millisecond {
		t.Errorf("waited %v for a retry past the deadline", waited)
	}
}

func TestSurvivesDaemonRestart(t *testing.T) {
	s := &stub{socket: filepath.Join(t.TempDir(), "s")}
	good := func(w http.ResponseWriter, r *http.Request) { answer(w, assertion(ipc.SendClientAssertion)) }
	first := s.listen(t, good)
	c := s.dial(t)
	if _, err := c.Assert(t.Context(), ipc.AssertionRequest{}); err != nil {
		t.Fatal(err)
	}
	first.Close()
	stopping, err := net.Listen("unix", s.socket)
	if err != nil {
		t.Fatal(err)
	}
	restarted := make(chan struct{})
	go func() { // comes back while the client waits to retry
		defer close(restarted)
		conn, err := stopping.Accept()
		stopping.Close()
		s.listen(t, good)
		if err == nil {
			conn.Close()
		}
	}()
	if _, err := c.Assert(t.Context(), ipc.AssertionRequest{}); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	<-restarted
}

func TestCallEndsWithItsContext(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.dial(t).Assert(ctx, ipc.AssertionRequest{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestReusesConnections(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { answer(w, assertion(ipc.SendClientAssertion)) })
	c := s.dial(t)
	for range 20 {
		if _, err := c.Assert(t.Context(), ipc.AssertionRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	if s.accepted.Load() != 1 {
		t.Errorf("%d connections for 20 requests", s.accepted.Load())
	}
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if _, err := c.Assert(t.Context(), ipc.AssertionRequest{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestErrorsSayWhatToDo(t *testing.T) {
	noSocket := filepath.Join(t.TempDir(), "none")
	plainFile := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(plainFile, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	page := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write([]byte("<html>welcome</html>"))
	})
	empty := serve(t, func(w http.ResponseWriter, r *http.Request) { answer(w, map[string]string{}) })
	old := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/health" {
			answer(w, ipc.HealthResponse{Status: "ok", Version: "v0.1.0"})
			return
		}
		refuse(w, ipc.NewProblem(ipc.CodeNotFound, "No such path."))
	})
	for _, row := range []struct {
		name, socket string
		kind         error
		says         string
	}{
		{"no daemon", noSocket, ErrUnavailable, "is the daemon running"},
		{"nothing listening", plainFile, ErrUnavailable, "start the daemon"},
		{"a web page", page.socket, ErrNotAssertd, "text/html"},
		{"another JSON service", empty.socket, ErrNotAssertd, "no assertion"},
		{"an older daemon", old.socket, ErrVersion, "v0.1.0"},
		{"an older daemon, by its code", old.socket, ipc.CodeNotFound, "POST /v1/assertions"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, err := New(row.socket)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, err = c.Assert(t.Context(), ipc.AssertionRequest{})
			if !errors.Is(err, row.kind) || !strings.Contains(err.Error(), row.says) {
				t.Errorf("got %v, want a %v that says %q", err, row.kind, row.says)
			}
		})
	}
}

// A real socket would not do: root may connect to any of them.
func TestPermissionErrorSaysWhatToDo(t *testing.T) {
	c, err := New("/run/assertd/assertd.sock")
	if err != nil {
		t.Fatal(err)
	}
	err = c.unavailable(&net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", os.ErrPermission)})
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "ask to join the group") {
		t.Errorf("got %v", err)
	}
}

// Nobody can join the group of the operator socket.
func TestOperatorPermissionErrorSaysWhatToDo(t *testing.T) {
	o, err := NewOperator("/run/assertd/operator.sock")
	if err != nil {
		t.Fatal(err)
	}
	err = o.unavailable(&net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", os.ErrPermission)})
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "only root and the daemon's user") || strings.Contains(err.Error(), "group") {
		t.Errorf("got %v", err)
	}
}

func TestRejectsBatchResponseOfWrongLength(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		one := assertion(ipc.SendClientAssertion)
		answer(w, ipc.BatchResponse{Results: []ipc.BatchResult{{Assertion: &one}}})
	})
	if _, err := s.dial(t).AssertBatch(t.Context(), make([]ipc.AssertionRequest, 2)); !errors.Is(err, ErrNotAssertd) {
		t.Errorf("got %v", err)
	}
}

// A program in the daemon's place may say anything about when to try again.
func TestRetryAfterOfAStranger(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"code":"hsm-unavailable","retry_after_seconds":-100}`)
	})
	if _, err := s.dial(t).Assert(t.Context(), ipc.AssertionRequest{}); !errors.Is(err, ipc.CodeHSMUnavailable) {
		t.Errorf("got %v", err)
	}
}
