package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
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
