package server

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/ipc/peer/peertest"
)

const (
	postAssertion = "POST /v1/assertions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
	getJWKS       = "GET /v1/jwks HTTP/1.1\r\nHost: a\r\n\r\n"
)

// slowAssert answers after a while, unless its caller leaves first.
func slowAssert(ctx context.Context, _ caller.Caller, _ ipc.AssertionRequest) (ipc.AssertionResponse, error) {
	select {
	case <-ctx.Done():
		return ipc.AssertionResponse{}, ctx.Err()
	case <-time.After(20 * time.Millisecond):
		return ipc.AssertionResponse{Assertion: "a.b.c"}, nil
	}
}

// TestHalfClose sends whole requests and closes the sending side, as socat
// does.
func TestHalfClose(t *testing.T) {
	r := serve(t, &fakeService{assert: slowAssert}, Options{})
	failed, last := 0, ""
	for range 20 {
		got := halfClosed(r, postAssertion)
		if got.StatusCode != http.StatusOK {
			failed, last = failed+1, string(got.body)
		}
	}
	if failed > 0 {
		t.Errorf("%d of 20 failed, the last with %s", failed, last)
	}
	if got := halfClosed(r, getJWKS); got.StatusCode != http.StatusOK {
		t.Errorf("GET: %d %s", got.StatusCode, got.body)
	}
	halfClosed(r, "POST /v1/assertions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{}").
		problem(t, ipc.CodeMalformedRequest)
}

func halfClosed(r *running, request string) reply {
	r.t.Helper()
	c := r.dial()
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		r.t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		r.t.Fatal(err)
	}
	return readReply(r.t, c)
}

// TestHalfClosedCallerLeaves closes the rest of the connection while the
// request is in flight.
func TestHalfClosedCallerLeaves(t *testing.T) {
	started, left := make(chan struct{}), make(chan struct{})
	r := serve(t, &fakeService{assert: func(ctx context.Context, _ caller.Caller, _ ipc.AssertionRequest) (ipc.AssertionResponse, error) {
		close(started)
		<-ctx.Done()
		close(left)
		return ipc.AssertionResponse{}, ctx.Err()
	}}, Options{RequestTimeout: time.Minute})
	c := r.dial()
	io.WriteString(c, postAssertion)
	c.CloseWrite()
	<-started
	select {
	case <-left:
		t.Error("a half-close counted as leaving")
	case <-time.After(50 * time.Millisecond): // real sockets: time can't be faked
	}
	c.Close()
	peertest.Eventually(t, "the caller's leaving noticed", func() bool {
		select {
		case <-left:
			return true
		default:
			return false
		}
	})
}
