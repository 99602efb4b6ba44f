package server

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/ipc/peer"
	"github.com/assertd/assertd/ipc/peer/peertest"
)

// TestDrain stops a server with a request in flight, an idle connection, an
// unused one and a request that comes late.
func TestDrain(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	r := serve(t, &fakeService{assert: func(context.Context, caller.Caller, ipc.AssertionRequest) (ipc.AssertionResponse, error) {
		close(started)
		<-release
		return ipc.AssertionResponse{Assertion: "late"}, nil
	}}, Options{})
	unused, late := r.dial(), r.dial()
	defer unused.Close()
	defer late.Close()
	io.WriteString(late, "GET /v1/jwks HTTP/1.1\r\nHost: a\r\n\r\n")
	answers := bufio.NewReader(late)
	if _, err := http.ReadResponse(answers, nil); err != nil {
		t.Fatal(err)
	}
	working := make(chan reply)
	go func() { working <- r.do("POST", "/v1/assertions", "{}") }()
	<-started
	stopped := make(chan error)
	go func() { stopped <- r.stopped() }()
	peertest.Eventually(t, "the socket gone", func() bool { _, err := os.Lstat(r.socket); return errors.Is(err, os.ErrNotExist) })

	io.WriteString(late, "POST /v1/assertions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
	answers.Discard(len(`{"keys":[]}`))
	rest, err := io.ReadAll(answers)
	if err != nil {
		t.Fatal(err)
	}
	parseReply(t, rest).problem(t, ipc.CodeDraining)

	close(release)
	start := time.Now()
	if got := <-working; got.StatusCode != http.StatusOK {
		t.Errorf("in flight: %d %s", got.StatusCode, got.body)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("idle and unused connections delayed the drain by %v", took)
	}
	if _, err := unused.Read(make([]byte, 1)); err == nil {
		t.Error("the unused connection is still open")
	}
}

func TestDrainTimeout(t *testing.T) {
	started := make(chan struct{})
	r := serve(t, &fakeService{assert: func(ctx context.Context, _ caller.Caller, _ ipc.AssertionRequest) (ipc.AssertionResponse, error) {
		close(started)
		<-ctx.Done()
		return ipc.AssertionResponse{}, ctx.Err()
	}}, Options{DrainTimeout: 50 * time.Millisecond})
	c := r.dial()
	defer c.Close()
	io.WriteString(c, "POST /v1/assertions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
	<-started
	if err := r.stopped(); !errors.Is(err, ErrDrainTimeout) {
		t.Errorf("got %v", err)
	}
}

func TestServeStopsWhenAListenerFails(t *testing.T) {
	r := serve(t, &fakeService{}, Options{})
	second, err := peer.Listen(peer.Socket{Path: r.socket + "2"})
	if err != nil {
		t.Fatal(err)
	}
	third, err := peer.Listen(peer.Socket{Path: r.socket + "3"})
	if err != nil {
		t.Fatal(err)
	}
	second.UnixListener.Close()
	if err := New(&fakeService{}, Options{}).Serve(t.Context(), second, third); err == nil {
		t.Error("no error")
	}
	if _, err := os.Lstat(third.Path()); !errors.Is(err, os.ErrNotExist) {
		t.Error("the other socket is still there")
	}
}
