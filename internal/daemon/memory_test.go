package daemon

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// manyClients are as many clients as a configuration has room for, about 250 bytes
// each.
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

// residentBytes is the memory of this process that is in RAM.
func residentBytes(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// A daemon doesn't grow with each reload, and doesn't keep what it read the file
// with.
func TestMemoryOfReloads(t *testing.T) {
	const clients, reloads = 10_000, 8
	r := serveDaemon(t, manyClients(clients))
	reload := func() int {
		if err := r.Reload(); err != nil {
			t.Fatal(err)
		}
		return residentBytes(t)
	}
	first, last := reload(), 0
	for range reloads {
		last = reload()
	}
	t.Logf("%d MB after the first reload, %d MB after %d", first>>20, last>>20, reloads+1)
	if last > first*13/10 {
		t.Errorf("%d MB after the first reload grew to %d MB", first>>20, last>>20)
	}
	if most := clients * 16 << 10; first > most {
		t.Errorf("%d MB for %d clients, want at most %d", first>>20, clients, most>>20)
	}
}
