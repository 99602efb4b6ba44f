package server

import (
	"io"
	"net"
	"os"
	"testing"

	"github.com/assertd/assertd/ipc/peer"
	"github.com/assertd/assertd/ipc/peer/peertest"
)

// TestNoUserLocksOthersOut fills the server as one user and comes as another.
func TestNoUserLocksOthersOut(t *testing.T) {
	if os.Geteuid() != 0 {
		return // it takes two users; TestMakeRoom shows the rule without
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

func TestMakeRoom(t *testing.T) {
	set := newConnSet(4)
	add := func(uid uint32, working bool) (*conn, bool) {
		c := &conn{Conn: &peer.Conn{UnixConn: new(net.UnixConn)}}
		c.working.Store(working)
		return c, set.add(c, connOwner{uid: uid})
	}
	add(1, true)
	idle, _ := add(1, false)
	add(1, true)
	add(2, false)
	if c, ok := add(2, false); !ok || c.excess || set.owned[connOwner{uid: 1}] != 2 {
		t.Errorf("one of user 1's three should have gone: %+v", set.owned)
	}
	if _, still := set.open[idle]; still {
		t.Error("one at work was closed")
	}
	if c, ok := add(2, false); !ok || !c.excess {
		t.Error("user 2 holds no fewer than user 1")
	}
	if c, ok := add(3, false); !ok || c.excess {
		t.Error("user 3 holds none")
	}
}
