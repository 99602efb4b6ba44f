package policy

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/assertd/assertd/ipc/caller"
)

// The policies are random but draw on few values, so that callers match now and
// then. The index and a full scan must find the same clients.
func TestIndexFindsWhatAFullScanFinds(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	text := func(prefix string) string {
		return []string{"", prefix + "1", prefix + "2", prefix + "3"}[random.IntN(4)]
	}
	known := func(prefix string) string { return fmt.Sprint(prefix, 1+random.IntN(3)) }
	for range 300 {
		var clients []Client
		for i := range 1 + random.IntN(30) {
			m := Match{Executable: text("/x"), Container: text("c"), Listener: text("/l")}
			if random.IntN(2) == 0 {
				m.UID = id(random.Uint32N(4))
			}
			if random.IntN(2) == 0 || len(m.keys()) == 0 {
				m.GID = id(random.Uint32N(4))
			}
			if random.IntN(3) == 0 {
				m.Unit = known("u.")
			}
			clients = append(clients, Client{Name: fmt.Sprint("c", i), Match: m, Grants: []Rule{with(bank(), func(r *Rule) {
				r.Audiences = []string{known("a")}
			})}})
		}
		p := mustNew(t, clients...)
		for range 30 {
			caller := caller.Caller{
				UID: random.Uint32N(4), GID: random.Uint32N(4), Groups: []uint32{random.Uint32N(4), random.Uint32N(4)},
				Executable: text("/x"), Container: text("c"), Listener: text("/l"), Unit: text("u."),
			}
			if random.IntN(4) == 0 {
				caller.Client = fmt.Sprint("c", random.IntN(30))
			}
			checkAgreement(t, p, caller, Request{Audience: text("a"), Lifetime: time.Duration(random.IntN(3)) * time.Minute})
		}
	}
}

// The index checks few clients however many there are. The clients of each
// population share one selector, like the services of one user or the users of
// one executable, and differ in another.
func TestIndexChecksFewClients(t *testing.T) {
	for _, kind := range populations[:3] {
		for _, n := range []int{10, 10_000} {
			p := mustNew(t, population(n, kind.match)...)
			for _, i := range []int{1, n / 2, n - 1} {
				caller := kind.caller(i)
				compared := 0
				for s := range selectorCount {
					for nth := 0; p.index.used[s]; nth++ {
						k, ok := s.callerKey(&caller, nth)
						if !ok {
							break
						}
						compared += len(p.index.clients[k])
					}
				}
				if compared != 1 {
					t.Errorf("by %s: checked %[3]d of %[2]d clients, want 1", kind.name, n, compared)
				}
			}
		}
	}
}
