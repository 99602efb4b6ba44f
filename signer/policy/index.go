package policy

import (
	"slices"

	"github.com/assertd/assertd/ipc/caller"
)

// index finds the clients that a caller may be without looking at all of them. Each client is listed under one key alone: the one
// of its selectors' values that it shares with the fewest others. So a thousand services of one user are told apart by their
// units, and a thousand users of one executable by their uids.
type index struct {
	clients map[key][]*client
	used    [selectorCount]bool // selectors under which any client is listed
}

func newIndex(clients []*client) index {
	sharers := make(map[key]int)
	for _, c := range clients {
		for _, k := range c.Match.keys() {
			sharers[k]++
		}
	}
	x := index{clients: make(map[key][]*client, len(clients))}
	for _, c := range clients {
		best := slices.MinFunc(c.Match.keys(), func(a, b key) int { return sharers[a] - sharers[b] })
		x.clients[best] = append(x.clients[best], c)
		x.used[best.selector] = true
	}
	return x
}

// find returns the clients whose selectors hold for the caller, in the order of the configuration.
func (x *index) find(caller *caller.Caller) []*client {
	var found []*client
	for i := range selectors {
		if x.used[i] {
			found = x.findBy(&selectors[i], caller, found)
		}
	}
	// A caller that has a group twice finds a client twice.
	slices.SortFunc(found, func(a, b *client) int { return a.place - b.place })
	return slices.Compact(found)
}

// findBy adds those that are listed under one selector.
func (x *index) findBy(s *selector, caller *caller.Caller, found []*client) []*client {
	for n := 0; ; n++ {
		k, ok := s.look(caller, n)
		if !ok {
			return found
		}
		for _, c := range x.clients[k] {
			if c.Match.holds(caller) {
				found = append(found, c)
			}
		}
	}
}

func (m *Match) keys() []key {
	var keys []key
	for i := range selectors {
		if selectors[i].given(m) {
			keys = append(keys, selectors[i].key(m))
		}
	}
	return keys
}
