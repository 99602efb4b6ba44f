package policy

import (
	"slices"

	"github.com/assertd/assertd/ipc/caller"
)

// index finds the clients that a caller may match without checking them all.
// Each client is listed under only one of its keys: the one that it shares with
// the fewest other clients. So a thousand services of one user are found by
// their units, and a thousand users of one executable by their user IDs.
type index struct {
	clients map[key][]*client
	used    [selectorCount]bool // selectors with any client listed under them
}

func newIndex(clients []*client) index {
	shared := make(map[key]int)
	for _, c := range clients {
		for _, k := range c.keys {
			shared[k]++
		}
	}
	x := index{clients: make(map[key][]*client, len(clients))}
	for _, c := range clients {
		best := slices.MinFunc(c.keys, func(a, b key) int { return shared[a] - shared[b] })
		x.clients[best] = append(x.clients[best], c)
		x.used[best.selector] = true
	}
	return x
}

// find returns the clients that the caller matches, in configuration order.
func (x *index) find(caller *caller.Caller) []*client {
	var found []*client
	for s := range selectorCount {
		if x.used[s] {
			found = x.findBy(s, caller, found)
		}
	}
	// A caller that has a group twice finds a client twice.
	slices.SortFunc(found, func(a, b *client) int { return a.position - b.position })
	return slices.Compact(found)
}

// findBy appends the matching clients that are listed under one selector.
func (x *index) findBy(s selector, caller *caller.Caller, found []*client) []*client {
	for n := 0; ; n++ {
		k, ok := s.callerKey(caller, n)
		if !ok {
			return found
		}
		for _, c := range x.clients[k] {
			if c.matches(caller) {
				found = append(found, c)
			}
		}
	}
}
