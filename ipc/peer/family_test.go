package peer

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/descent"
	"github.com/assertd/assertd/ipc/peer/peertest"
)

// A child of the daemon gets no connection. The daemon's own process does, and
// so does a child that has another user than the daemon's descendants can have.
func TestDescendantIsRefused(t *testing.T) {
	family, err := descent.Adopt()
	if err != nil {
		t.Fatal(err)
	}
	l := mustListen(t, Socket{Path: filepath.Join(peertest.Dir(t), "s"), Mode: 0o666})
	refuses := NewIdentifier(IDMap{}, family, time.Now)

	own, err := net.Dial("unix", l.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	if c, err := refuses.Conn(l, accepted(t, l)); err != nil || c.Caller().PID != int32(os.Getpid()) {
		t.Errorf("its own connection: %v", err)
	}
	connected(t, peertest.Program(t, "worker"), l.Path())
	conn := accepted(t, l)
	if _, err := refuses.Conn(l, conn); !errors.Is(err, ErrDescendant) {
		t.Errorf("a child: %v", err)
	}
	if _, err := NewIdentifier(IDMap{}, nil, time.Now).Conn(l, conn); err != nil {
		t.Errorf("without a family: %v", err)
	}
	from, err := Credentials(conn)
	if err != nil {
		t.Fatal(err)
	}
	from.UID++
	if err := RefuseDescendant(conn, from, family); err != nil {
		t.Errorf("another user: %v", err)
	}
	from.UID, from.PID = from.UID-1, 0
	if err := RefuseDescendant(conn, from, family); err != nil {
		t.Errorf("another PID namespace: %v", err)
	}
}

// BenchmarkConn is what the check adds to a connection with the daemon's user.
func BenchmarkConn(b *testing.B) {
	family, err := descent.Adopt()
	if err != nil {
		b.Fatal(err)
	}
	pair, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(b.TempDir(), "s")})
	if err != nil {
		b.Fatal(err)
	}
	defer pair.Close()
	client, err := net.Dial("unix", pair.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	conn, err := pair.AcceptUnix()
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	from, err := Credentials(conn)
	if err != nil {
		b.Fatal(err)
	}
	for name, uid := range map[string]uint32{"own user": from.UID, "another user": from.UID + 1} {
		from := from
		from.UID = uid
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := RefuseDescendant(conn, from, family); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
