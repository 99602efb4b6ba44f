package server

import (
	"io"
	"os"
	"testing"

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
