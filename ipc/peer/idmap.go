package peer

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/assertd/assertd/ipc/caller"
)

// IDMap says which IDs the daemon's user namespace maps. The kernel shows all
// users that it doesn't map under one overflow ID, usually 65534, and all
// groups likewise. A namespace that maps every ID has no such users.
type IDMap struct {
	PartialUIDs, PartialGIDs bool
	OverflowUID, OverflowGID uint32
}

// ReadIDMap reads the map of the daemon's own user namespace,
// user_namespaces(7). A map that can't be read counts as partial.
func ReadIDMap() IDMap {
	return IDMap{
		PartialUIDs: !mapsAll(readText("/proc/self/uid_map")),
		PartialGIDs: !mapsAll(readText("/proc/self/gid_map")),
		OverflowUID: overflowID("/proc/sys/kernel/overflowuid"),
		OverflowGID: overflowID("/proc/sys/kernel/overflowgid"),
	}
}

func readText(file string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return string(data)
}

// mapsAll reports whether a map is the initial namespace's: one line for all
// IDs.
func mapsAll(text string) bool {
	return slices.Equal(strings.Fields(text), []string{"0", "0", "4294967295"})
}

func overflowID(file string) uint32 {
	id, err := strconv.ParseUint(strings.TrimSpace(readText(file)), 10, 32)
	if err != nil {
		return 65534
	}
	return uint32(id)
}

// ambiguous reports whether the caller's user or group may be any of the
// unmapped ones, and returns its supplementary groups without the overflow ID.
func (m IDMap) ambiguous(c caller.Caller) (bool, []uint32) {
	groups := c.Groups
	if m.PartialGIDs {
		groups = slices.DeleteFunc(slices.Clone(groups), func(g uint32) bool { return g == m.OverflowGID })
	}
	return m.PartialUIDs && c.UID == m.OverflowUID || m.PartialGIDs && c.GID == m.OverflowGID, groups
}
