package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/internal/store"
	"github.com/assertd/assertd/internal/store/storetest"
	"github.com/assertd/assertd/ipc"
)

// present runs a Presence until the test, or what it returns, ends that.
func present(t *testing.T, name, address string, status ipc.StatusResponse) (p *Presence, stop func()) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Addresses: []string{address}, Prefix: "test", Now: time.Now, Logger: logging.Discard})
	if err != nil {
		t.Fatal(err)
	}
	p = NewPresence(s, testKey(t, fleetKey), name, func() ipc.StatusResponse { return status })
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = p.Run(ctx) })
	stop = sync.OnceFunc(func() { cancel(); running.Wait(); s.Close() })
	t.Cleanup(stop)
	return p, stop
}

// hosts are the names of the daemons with their states.
func hosts(f ipc.FleetResponse) string {
	var list []string
	for _, d := range f.Daemons {
		text := d.Host + ":" + d.State
		if d.Self {
			text += ":self"
		}
		list = append(list, text)
	}
	return strings.Join(list, " ")
}

// TestFleetLists: each daemon sees all of them, with their digests, until one
// stops. One that ends without a word is shown as gone, and who has no fleet
// key can't add any.
func TestFleetLists(t *testing.T) {
	server := storetest.Start(t, "")
	ready := ipc.StatusResponse{Version: "1", Ready: ipc.ReadyResponse{Ready: true}, PolicyDigest: "p1", Started: time.Now()}
	degraded := ready
	degraded.PolicyDigest, degraded.Ready.Degraded = "p2", []ipc.DegradedKey{{Key: "k"}}
	a, _ := present(t, "a", server.Address, ready)
	_, stop := present(t, "b", server.Address, degraded)
	sees := func(want string) {
		t.Helper()
		eventually(t, func() bool { return hosts(a.Fleet(t.Context())) == want })
	}
	sees("a:ready:self b:degraded")
	eventually(t, func() bool {
		daemons := a.Fleet(t.Context()).Daemons
		return len(daemons) == 2 && daemons[1].PolicyDigest == "p2" && daemons[1].Version == "1" && time.Since(daemons[1].Seen) < time.Hour
	})
	stop()
	sees("a:ready:self")

	lost := ipc.FleetDaemon{ID: "lost", Host: "c", State: ipc.FleetReady, Seen: time.Now().Add(-time.Minute)}
	put := func(id string, d ipc.FleetDaemon, key Key) {
		t.Helper()
		eventually(t, func() bool {
			return a.store.Client().HSet(t.Context(), a.place(), id, key.seal(a.place(), encoded(t, d))).Err() == nil
		})
	}
	put("lost", lost, a.key)
	sees("a:ready:self c:gone")
	forgotten := lost
	forgotten.ID, forgotten.Seen = "forgotten", time.Now().Add(-25*time.Hour)
	put("forgotten", forgotten, a.key)
	put("forged", lost, testKey(t, strings.Repeat("x", 32)))
	put("copied", lost, a.key)
	sees("a:ready:self c:gone")
	eventually(t, func() bool { return a.Fleet(t.Context()).Forged == 2 })
	eventually(t, func() bool {
		return errors.Is(a.store.Client().HGet(t.Context(), a.place(), "forgotten").Err(), redis.Nil)
	})

	server.Kill()
	eventually(t, func() bool {
		f := a.Fleet(t.Context())
		return f.Error != "" && hosts(f) == "a:ready:self"
	})
}

func encoded(t *testing.T, d ipc.FleetDaemon) []byte {
	t.Helper()
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
