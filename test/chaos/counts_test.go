package chaos

import (
	"context"

	"github.com/assertd/assertd/ipc"
)

// counts are the requests of each client that the daemon refused or failed, by
// code. The SDK repeats a request once, so its callers don't see all of them.
type counts map[string]map[ipc.Code]uint64

func (s *site) counts() counts {
	s.t.Helper()
	status, err := s.operator.Status(context.Background())
	check(s.t, err)
	all := counts{steady: {}, shaky: {}}
	for _, c := range status.Clients {
		if own := all[c.Name]; own != nil {
			for _, count := range append(c.Refusals, c.Failures...) {
				own[count.Code] += count.Count
			}
		}
	}
	return all
}

// since returns what was counted for a client after before.
func (c counts) since(before counts, client string) map[ipc.Code]int {
	more := make(map[ipc.Code]int)
	for code, n := range c[client] {
		if n > before[client][code] {
			more[code] = int(n - before[client][code])
		}
	}
	return more
}
