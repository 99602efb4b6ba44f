package server

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/ipc/peer/peertest"
)

// TestNoUserLocksOthersOut fills the server as one user, and connects as
// another.
func TestNoUserLocksOthersOut(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root can be two users; connlimit tests the rule itself
	}
	r := serve(t, &fakeService{}, Options{MaxConnections: 8})
	for range 8 {
		c := r.dial()
		defer c.Close()
		io.WriteString(c, "GET /v1/jwks HTTP/1.1\r\nHost: a\r\n")
	}
	peertest.Eventually(t, "all accepted", func() bool { return r.server.Connections() == 8 })
	cmd := peertest.Command(t, peertest.Program(t, "other"), "ask", r.socket)
	cmd.SysProcAttr = peertest.As(1001, 1001)
	if got := callerOf(t, output(t, cmd)); got.UID != 1001 {
		t.Errorf("%+v", got)
	}
	peertest.Eventually(t, "the other gone", func() bool { return r.server.Connections() == 7 })
}

// TestCallersThatReadNothingKeepNoPlaces fills the server with connections that
// ask without end and read no answer.
func TestCallersThatReadNothingKeepNoPlaces(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root can be two users
	}
	r := serve(t, &fakeService{}, Options{MaxConnections: 8, WriteTimeout: time.Minute})
	for range 8 {
		c := r.dial()
		defer c.Close()
		if err := c.SetWriteDeadline(time.Now().Add(3 * time.Second)); err != nil {
			t.Fatal(err)
		}
		go func() {
			for err := error(nil); err == nil; {
				_, err = io.WriteString(c, strings.Repeat("GET /v1/jwks HTTP/1.1\r\nHost: a\r\n\r\n", 100))
			}
		}()
	}
	peertest.Eventually(t, "all stuck", func() bool { return r.server.stuck() == 8 })
	cmd := peertest.Command(t, peertest.Program(t, "other"), "ask", r.socket)
	cmd.SysProcAttr = peertest.As(1001, 1001)
	if got := callerOf(t, output(t, cmd)); got.UID != 1001 {
		t.Errorf("%+v", got)
	}
}

// stuck counts the connections in the middle of a request that are not busy.
func (s *Server) stuck() (n int) {
	s.conns.DropIf(func(c *conn) bool {
		if c.busy.Load() && !c.Busy() {
			n++
		}
		return false
	})
	return n
}

// TestConnectionEndsAfterTransferEncoding sends requests that a program in
// between may have seen end elsewhere (RFC 9112, section 6.1).
func TestConnectionEndsAfterTransferEncoding(t *testing.T) {
	r := serve(t, &fakeService{}, Options{})
	_, operator := serveOperator(t, &fakeOperator{drained: make(chan struct{})})
	for name, socket := range map[string]string{"callers": r.socket, "operators": operator} {
		for _, test := range []struct{ name, request string }{
			{"chunks", "POST /v1/none HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
			{"both", "POST /v1/none HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
			{"HTTP/1.0", "GET /v1/none HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"},
		} {
			r.socket = socket
			c := r.dial()
			defer c.Close()
			if _, err := io.WriteString(c, test.request+"GET /v1/none HTTP/1.1\r\nHost: smuggled\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			all, err := io.ReadAll(c)
			if n := strings.Count(string(all), "HTTP/1."); err != nil || n != 1 {
				t.Errorf("%s, %s: %d responses, %v", name, test.name, n, err)
			}
		}
	}
}
