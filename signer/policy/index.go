package policy

import "slices"

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
func (x *index) find(caller *Caller) []*client {
	var room [selectorCount + 16]key // enough for most callers without an allocation
	keys := room[:0]
	for i := range selectors {
		if x.used[i] {
			keys = selectors[i].keys(caller, keys)
		}
	}
	var found []*client
	for _, k := range keys {
		for _, c := range x.clients[k] {
			if c.Match.holds(caller) {
				found = append(found, c)
			}
		}
	}
	// A caller that has a group twice finds a client twice.
	slices.SortFunc(found, func(a, b *client) int { return a.place - b.place })
	return slices.Compact(found)
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
