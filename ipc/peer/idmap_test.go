package peer

import (
	"slices"
	"testing"

	"github.com/assertd/assertd/ipc/caller"
)

func TestAmbiguousIDs(t *testing.T) {
	partial := IDMap{PartialUIDs: true, PartialGIDs: true, OverflowUID: 65534, OverflowGID: 65533}
	whole := IDMap{OverflowUID: 65534, OverflowGID: 65533}
	for _, c := range []struct {
		ids    IDMap
		who    caller.Caller
		want   bool
		groups []uint32
	}{
		{whole, caller.Caller{UID: 65534, GID: 65533, Groups: []uint32{65533}}, false, []uint32{65533}},
		{partial, caller.Caller{UID: 1000, GID: 1000, Groups: []uint32{5, 65533, 6}}, false, []uint32{5, 6}},
		{partial, caller.Caller{UID: 65534, GID: 1000}, true, nil},
		{partial, caller.Caller{UID: 1000, GID: 65533}, true, nil},
	} {
		got, groups := c.ids.ambiguous(c.who)
		if got != c.want || !slices.Equal(groups, c.groups) {
			t.Errorf("%+v %+v: %v %v", c.ids, c.who, got, groups)
		}
	}
}

func TestMapsAll(t *testing.T) {
	for text, want := range map[string]bool{
		"         0          0 4294967295\n":                                  true,
		"         0       1000          1\n":                                  false,
		"         0     100000      65536\n":                                  false,
		"         0          0      65536\n     65536     65536 4294901759\n": false,
		"": false,
	} {
		if mapsAll(text) != want {
			t.Errorf("%q", text)
		}
	}
}
