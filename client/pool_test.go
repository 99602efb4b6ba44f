package client

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/assertd/assertd/ipc"
)

// A restart closes idle connections. The next request finds out, and uses a new
// connection without delay.
func TestReplacesIdleConnectionClosedByDaemon(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) { answer(w, assertion(ipc.SendClientAssertion)) }
	s := &stub{socket: t.TempDir() + "/s"}
	first := s.listen(t, handler)
	c := s.dial(t)
	if _, err := c.Assert(t.Context(), ipc.AssertionRequest{}); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	s.listen(t, handler)
	began := time.Now()
	if _, err := c.Assert(t.Context(), ipc.AssertionRequest{Audience: "https://as.example"}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took >= restartDelay {
		t.Errorf("took %v; the retry delay is for a daemon that is down", took)
	}
}

// Only a reused connection is replaced silently.
func TestDoesNotRepeatOnNewConnection(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
	request, err := newRequest(t.Context(), http.MethodPost, "/v1/assertions", struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.dial(t).exchange(request); !errors.Is(err, ErrUnavailable) || s.calls.Load() != 1 {
		t.Errorf("after %d calls: %v", s.calls.Load(), err)
	}
}

func TestAContextEndsTheWaitForAnAnswer(t *testing.T) {
	waiting := make(chan struct{}, 2)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Content-Type") == "" { // the keys
			answer(w, struct{}{})
			return
		}
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush() // the rest never comes
		waiting <- struct{}{}
		<-r.Context().Done()
	})
	c := s.dial(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("no longer wanted")
	go func() { <-waiting; cancel(reason) }()
	if _, err := c.Assert(ctx, ipc.AssertionRequest{}); !errors.Is(err, reason) {
		t.Errorf("got %v", err)
	}
	if len(c.pool.idle) != 0 {
		t.Error("the connection was kept")
	}
	if _, err := c.JWKS(t.Context()); err != nil {
		t.Errorf("after it: %v", err)
	}
}

// The daemon refuses a body that is too large before it has read all of it.
func TestReadsEarlyRefusal(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		refuse(w, ipc.NewProblem(ipc.CodeRequestTooLarge, "A body may have at most 65536 bytes."))
	})
	c := s.dial(t)
	_, err := c.Assert(t.Context(), ipc.AssertionRequest{Audience: strings.Repeat("a", 60<<10)})
	if !errors.Is(err, ipc.CodeRequestTooLarge) || len(c.pool.idle) != 0 {
		t.Errorf("got %v, and %d connections were kept", err, len(c.pool.idle))
	}
}

// A POST that the daemon read may have been signed, recorded and charged.
func TestPOSTIsNotRepeatedOnceWritten(t *testing.T) {
	var broken atomic.Bool
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if broken.Load() {
			panic(http.ErrAbortHandler)
		}
		answer(w, assertion(ipc.SendClientAssertion))
	})
	c := s.dial(t)
	if _, err := c.Assert(t.Context(), ipc.AssertionRequest{}); err != nil {
		t.Fatal(err)
	}
	broken.Store(true)
	_, err := c.Assert(t.Context(), ipc.AssertionRequest{})
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "may have acted") || s.calls.Load() != 2 {
		t.Errorf("after %d calls: %v", s.calls.Load(), err)
	}
	// A request that changes nothing may be repeated.
	if _, err := c.Grants(t.Context()); !errors.Is(err, ErrUnavailable) || s.calls.Load() != 4 {
		t.Errorf("GET after %d calls: %v", s.calls.Load()-2, err)
	}
}

func TestPOSTIsNotRepeatedAfterHalfAResponse(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "{")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	_, err := s.dial(t).Assert(t.Context(), ipc.AssertionRequest{})
	if !errors.Is(err, ErrUnavailable) || s.calls.Load() != 1 {
		t.Errorf("after %d calls: %v", s.calls.Load(), err)
	}
}

// A daemon that dies with a request in its queue has not read it. Linux says
// so.
func TestUnreadPOSTIsRepeated(t *testing.T) {
	s := &stub{socket: t.TempDir() + "/s"}
	dying, err := net.Listen("unix", s.socket)
	if err != nil {
		t.Fatal(err)
	}
	c := s.dial(t)
	failed := make(chan error, 1)
	go func() { _, err := c.Assert(t.Context(), ipc.AssertionRequest{}); failed <- err }()
	conn, err := dying.Accept()
	if err != nil {
		t.Fatal(err)
	}
	// Wait until the request is there, without reading it.
	if probe := (&connection{Conn: conn}); !eventually(func() bool { return !probe.alive() }) {
		t.Fatal("no request came")
	}
	dying.Close()
	s.listen(t, func(w http.ResponseWriter, r *http.Request) { answer(w, assertion(ipc.SendClientAssertion)) })
	conn.Close()
	if err := <-failed; err != nil || s.calls.Load() != 1 {
		t.Errorf("after %d calls: %v", s.calls.Load(), err)
	}
}

func eventually(holds func() bool) bool {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if holds() {
			return true
		}
	}
	return false
}

// The first dead connection shows that the others are dead too. None of them is
// tried, and no request is lost.
func TestRestartDropsAllIdleConnections(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) { answer(w, assertion(ipc.SendClientAssertion)) }
	s := &stub{socket: t.TempDir() + "/s"}
	c := s.dial(t)
	for range 3 {
		daemon := s.listen(t, handler)
		var idle []*connection
		for range maxIdle {
			one, err := c.pool.dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			idle = append(idle, one)
		}
		for _, one := range idle {
			if _, _, err := c.pool.use(one, jwksRequest(t)); err != nil {
				t.Fatal(err)
			}
		}
		if err := daemon.Close(); err != nil {
			t.Fatal(err)
		}
		daemon = s.listen(t, handler)
		before := s.accepted.Load()
		if _, err := c.Assert(t.Context(), ipc.AssertionRequest{}); err != nil {
			t.Fatal(err)
		}
		if open := len(c.pool.idle); open != 1 || s.accepted.Load()-before != 1 {
			t.Errorf("%d idle connections and %d new ones, want one of each", open, s.accepted.Load()-before)
		}
		for _, one := range idle {
			if _, err := one.Write([]byte("x")); err == nil {
				t.Fatal("a dead connection is still open")
			}
		}
		if err := daemon.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func jwksRequest(t *testing.T) *http.Request {
	t.Helper()
	request, err := newRequest(t.Context(), http.MethodGet, "/v1/jwks", nil)
	if err != nil {
		t.Fatal(err)
	}
	return request
}

// Something else, even something hostile, may be listening on the path.
func TestGivesUpOnEndlessResponse(t *testing.T) {
	piece := strings.Repeat(" ", 1<<16)
	for name, handler := range map[string]http.HandlerFunc{
		"body": func(w http.ResponseWriter, r *http.Request) {
			for {
				if _, err := io.WriteString(w, piece); err != nil {
					return
				}
			}
		},
		"header": func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			for _, err = io.WriteString(conn, "HTTP/1.1 200 OK\r\nX: "); err == nil; {
				_, err = io.WriteString(conn, piece)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, handler)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if _, err := s.dial(t).Assert(ctx, ipc.AssertionRequest{}); err == nil || ctx.Err() != nil {
				t.Errorf("got %v; the context: %v", err, ctx.Err())
			}
		})
	}
}

func TestClosesConnectionsIdleTooLong(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { answer(w, struct{}{}) })
	c := s.dial(t)
	old, err := c.pool.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	old.idleSince = time.Now().Add(-2 * idleLimit)
	fresh, err := c.pool.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.pool.idle = []*connection{old}
	c.pool.put(fresh, &http.Response{})
	if len(c.pool.idle) != 1 || c.pool.idle[0] != fresh {
		t.Errorf("%d idle connections, want only the fresh one", len(c.pool.idle))
	}
	if _, err := old.Write([]byte("x")); err == nil {
		t.Error("the old connection is still open")
	}
}
