package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/assertd/assertd/ipc/caller"
)

// selector is one way to recognize a caller.
type selector int

// The selectors, in the order in which the index prefers them if several are
// equally selective, and in which Explain lists them.
const (
	byListener selector = iota
	byUnit
	byContainer
	byHash
	byExecutable
	byUID
	byGID
	selectorCount
)

// selectorNames are the selectors' names in the configuration.
var selectorNames = [selectorCount]string{
	byListener:   "listener",
	byUnit:       "unit",
	byContainer:  "container",
	byHash:       "executable_sha256",
	byExecutable: "executable",
	byUID:        "uid",
	byGID:        "gid",
}

// key is one value of one selector. A client has the keys that a caller must
// match; a caller has those under which the index looks for its clients.
type key struct {
	selector selector
	id       uint32 // of byUID and byGID
	text     string // of all others
}

// keys lists the values of the selectors that are set.
func (m *Match) keys() []key {
	texts := [...]key{
		{selector: byListener, text: m.Listener},
		{selector: byUnit, text: m.Unit},
		{selector: byContainer, text: m.Container},
		{selector: byHash, text: strings.ToLower(m.ExecutableSHA256)},
		{selector: byExecutable, text: m.Executable},
	}
	keys := slices.DeleteFunc(texts[:], func(k key) bool { return k.text == "" })
	if m.UID != nil {
		keys = append(keys, key{selector: byUID, id: *m.UID})
	}
	if m.GID != nil {
		keys = append(keys, key{selector: byGID, id: *m.GID})
	}
	return keys
}

// matches reports whether the caller matches all of the client's keys. Nobody
// matches a client without any, although New lets no such client pass.
func (c *client) matches(caller *caller.Caller) bool {
	return len(c.keys) > 0 && !slices.ContainsFunc(c.keys, func(k key) bool { return !k.matches(caller) })
}

// matches compares texts byte by byte. An attribute of the caller that could
// not be read is empty, which no key is.
func (k key) matches(c *caller.Caller) bool {
	switch k.selector {
	case byUID:
		return k.id == c.UID
	case byGID:
		return k.id == c.GID || slices.Contains(c.Groups, k.id)
	}
	return k.text == k.selector.callerText(c)
}

// callerText returns what a caller has for a selector that compares text.
func (s selector) callerText(c *caller.Caller) string {
	switch s {
	case byListener:
		return c.Listener
	case byUnit:
		return c.Unit
	case byContainer:
		return c.Container
	case byHash:
		return c.ExecutableSHA256
	case byExecutable:
		return c.Executable
	}
	return ""
}

// callerKey returns a caller's nth key for a selector, and false if it has no
// more. Only groups give more than one.
func (s selector) callerKey(c *caller.Caller, n int) (key, bool) {
	switch {
	case s == byGID && 0 < n && n <= len(c.Groups):
		return key{selector: s, id: c.Groups[n-1]}, true
	case n > 0:
		return key{}, false
	case s == byUID:
		return key{selector: s, id: c.UID}, true
	case s == byGID:
		return key{selector: s, id: c.GID}, true
	}
	text := s.callerText(c)
	return key{selector: s, text: text}, text != ""
}

// want is the value that the key requires, for Explain.
func (k key) want() string {
	if k.selector == byUID || k.selector == byGID {
		return formatID(k.id)
	}
	return k.text
}

// have is what the caller has in place of the key, for Explain.
func (k key) have(c *caller.Caller) string {
	switch k.selector {
	case byUID:
		return formatID(c.UID)
	case byGID:
		return formatGroups(c, k.id)
	}
	return k.selector.callerText(c)
}

// formatID returns "" for (uid_t)-1, which chown(2) reserves: it stands for an
// ID that is not known.
func formatID(id uint32) string {
	if id == ^uint32(0) {
		return ""
	}
	return strconv.FormatUint(uint64(id), 10)
}

// formatGroups shows enough groups to recognize the caller by, not all of the
// 65,536 that it may have.
func formatGroups(c *caller.Caller, wanted uint32) string {
	const shown = 8
	if slices.Contains(c.Groups, wanted) && c.GID != wanted {
		return fmt.Sprintf("%d, and %d supplementary", c.GID, wanted)
	}
	all := []string{formatID(c.GID)}
	for _, group := range c.Groups[:min(shown, len(c.Groups))] {
		all = append(all, formatID(group))
	}
	if more := len(c.Groups) - shown; more > 0 {
		all = append(all, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(all, ", ")
}

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

// Match selects callers. A caller must match every selector that is set, and at
// least one must be set.
type Match struct {
	UID              *uint32
	GID              *uint32 // the primary or any supplementary group
	Executable       string  // absolute, clean path
	ExecutableSHA256 string  // 64 hex digits
	Unit             string  // with its suffix, such as payments.service
	Container        string
	Listener         string
}

// wants returns the attributes of a caller that the selectors look at.
func (m *Match) wants() caller.Attributes {
	return caller.Attributes{
		Executable: m.Executable != "",
		Hash:       m.ExecutableSHA256 != "",
		Cgroup:     m.Unit != "" || m.Container != "",
	}
}
