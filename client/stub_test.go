package client

import (
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/assertd/assertd/ipc"
)

// stub stands in for the daemon on a socket.
type stub struct {
	socket   string
	calls    atomic.Int64
	accepted atomic.Int64
}

// serve starts a stub, which runs until the test ends.
func serve(t *testing.T, handler http.HandlerFunc) *stub {
	t.Helper()
	s := &stub{socket: filepath.Join(t.TempDir(), "s")}
	s.listen(t, handler)
	return s
}

func (s *stub) listen(t *testing.T, handler http.HandlerFunc) *http.Server {
	t.Helper()
	listener, err := net.Listen("unix", s.socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.calls.Add(1); handler(w, r) }),
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				s.accepted.Add(1)
			}
		},
	}
	done := make(chan struct{})
	go func() { defer close(done); server.Serve(listener) }()
	t.Cleanup(func() { server.Close(); <-done })
	return server
}

// dial returns a client for the stub.
func (s *stub) dial(t *testing.T) *Client {
	t.Helper()
	c, err := New(s.socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, p *ipc.Problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	json.NewEncoder(w).Encode(p)
}

// assertion is a response like the daemon's.
func assertion(send ipc.Send) ipc.AssertionResponse {
	now := time.Now().Unix()
	a := ipc.AssertionResponse{Assertion: "e30.e30.c2ln", Send: send, Kid: "k", Alg: "ES256", IssuedAt: now, ExpiresAt: now + 60, Grant: "g"}
	switch send {
	case ipc.SendClientAssertion:
		a.AssertionType = ipc.AssertionType
	case ipc.SendGrant:
		a.AssertionType = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	case ipc.SendTokenExchange:
		a.AssertionType = "urn:ietf:params:oauth:token-type:jwt"
	}
	return a
}
