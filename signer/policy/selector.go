package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/assertd/assertd/ipc/caller"
)

// selector is one way to recognise a caller. Decide and Explain read the same table of them.
type selector struct {
	name  string
	given func(*Match) bool
	holds func(*Match, *caller.Caller) bool

	key  func(*Match) key                      // under which a client is found
	look func(*caller.Caller, int) (key, bool) // the nth key under which the caller looks, until there is none
	want func(*Match) string                   // for people
	have func(*Match, *caller.Caller) string   // for people
}

// key is one value of one selector.
type key struct {
	selector int
	id       uint32
	text     string
}

// The places of the selectors in the table: the order in which an index prefers them where several are equally selective, and in
// which people read them.
const (
	byListener = iota
	byUnit
	byContainer
	byHash
	byExecutable
	byUID
	byGID
	selectorCount
)

var selectors = [selectorCount]selector{
	byListener: textSelector(byListener, "listener",
		func(m *Match) string { return m.Listener }, func(c *caller.Caller) string { return c.Listener }),
	byUnit: textSelector(byUnit, "unit",
		func(m *Match) string { return m.Unit }, func(c *caller.Caller) string { return c.Unit }),
	byContainer: textSelector(byContainer, "container",
		func(m *Match) string { return m.Container }, func(c *caller.Caller) string { return c.Container }),
	byHash: textSelector(byHash, "executable_sha256",
		func(m *Match) string { return m.ExecutableSHA256 }, func(c *caller.Caller) string { return c.ExecutableSHA256 }),
	byExecutable: textSelector(byExecutable, "executable",
		func(m *Match) string { return m.Executable }, func(c *caller.Caller) string { return c.Executable }),
	byUID: {
		name:  "uid",
		given: func(m *Match) bool { return m.UID != nil },
		holds: func(m *Match, c *caller.Caller) bool { return *m.UID == c.UID },
		key:   func(m *Match) key { return key{selector: byUID, id: *m.UID} },
		look:  func(c *caller.Caller, n int) (key, bool) { return key{selector: byUID, id: c.UID}, n == 0 },
		want:  func(m *Match) string { return formatID(*m.UID) },
		have:  func(_ *Match, c *caller.Caller) string { return formatID(c.UID) },
	},
	byGID: {
		name:  "gid",
		given: func(m *Match) bool { return m.GID != nil },
		holds: func(m *Match, c *caller.Caller) bool { return *m.GID == c.GID || slices.Contains(c.Groups, *m.GID) },
		key:   func(m *Match) key { return key{selector: byGID, id: *m.GID} },
		look:  lookByGroup,
		want:  func(m *Match) string { return formatID(*m.GID) },
		have:  formatGroups,
	},
}

// textSelector compares byte by byte. What could not be read of a caller is empty, and a selector that is given never is.
func textSelector(place int, name string, want func(*Match) string, have func(*caller.Caller) string) selector {
	return selector{
		name:  name,
		given: func(m *Match) bool { return want(m) != "" },
		holds: func(m *Match, c *caller.Caller) bool { return want(m) == have(c) },
		key:   func(m *Match) key { return key{selector: place, text: want(m)} },
		look: func(c *caller.Caller, n int) (key, bool) {
			return key{selector: place, text: have(c)}, n == 0 && have(c) != ""
		},
		want: want,
		have: func(_ *Match, c *caller.Caller) string { return have(c) },
	}
}

func lookByGroup(c *caller.Caller, n int) (key, bool) {
	switch {
	case n == 0:
		return key{selector: byGID, id: c.GID}, true
	case n <= len(c.Groups):
		return key{selector: byGID, id: c.Groups[n-1]}, true
	}
	return key{}, false
}

// formatID writes a number; (uid_t)-1 is nobody's, chown(2), and stands for one that is not known.
func formatID(id uint32) string {
	if id == ^uint32(0) {
		return ""
	}
	return strconv.FormatUint(uint64(id), 10)
}

// formatGroups shows enough groups to recognise the caller by, not the 65,536 that it may have.
func formatGroups(m *Match, c *caller.Caller) string {
	const shown = 8
	if slices.Contains(c.Groups, *m.GID) && c.GID != *m.GID {
		return fmt.Sprintf("%d, and %d supplementary", c.GID, *m.GID)
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

// holds reports whether every selector that is given holds. Without any it reports false, though New lets no such Match pass.
func (m *Match) holds(c *caller.Caller) bool {
	held := false
	for i := range selectors {
		if s := &selectors[i]; s.given(m) {
			if !s.holds(m, c) {
				return false
			}
			held = true
		}
	}
	return held
}
