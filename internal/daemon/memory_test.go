package daemon

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// manyClients are as many clients as a configuration has room for, about 250
// bytes each.
func manyClients(n int) string {
	var b strings.Builder
	b.WriteString("listen: [{socket: DIR/shared.sock}]\nclients:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - name: client-%d\n    match: {uid: %d}\n    grants:\n"+
			"      - {name: bank, key: one, profile: private_key_jwt, client_id: id-%d, audiences: [https://as-%d.example/token],\n"+
			"         rate: [{limit: 50, per: 1s}, {limit: 10000, per: 24h}]}\n", i, 100_000+i, i, i)
	}
	return b.String()
}

// liveBytes is what the process keeps on the heap. What the system gives it
// beyond that is the collector's pace, and under the race detector several
// times as much.
func liveBytes() int {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}

// A daemon doesn't grow with each reload, and doesn't keep what it read the
// file with.
func TestMemoryOfReloads(t *testing.T) {
	const clients, reloads = 3000, 5
	before := liveBytes()
	r := serveDaemon(t, manyClients(clients))
	reload := func() int {
		if err := r.Reload(); err != nil {
			t.Fatal(err)
		}
		return liveBytes() - before
	}
	first, last := reload(), 0
	for range reloads {
		last = reload()
	}
	t.Logf("%d KB after the first reload, %d KB after %d", first>>10, last>>10, reloads+1)
	if last > first*13/10 {
		t.Errorf("%d KB after the first reload grew to %d KB", first>>10, last>>10)
	}
	if most := clients * 8 << 10; last > most {
		t.Errorf("%d KB for %d clients, want at most %d", last>>10, clients, most>>10)
	}
}
