package ipc

import (
	"os"
	"slices"
	"testing"
)

func TestAmbiguousIDs(t *testing.T) {
	partial := idMap{partialUIDs: true, partialGIDs: true, overflowUID: 65534, overflowGID: 65533}
	whole := idMap{overflowUID: 65534, overflowGID: 65533}
	for _, c := range []struct {
		ids    idMap
		peer   Peer
		want   bool
		groups []uint32
	}{
		{whole, Peer{UID: 65534, GID: 65533, Groups: []uint32{65533}}, false, []uint32{65533}},
		{partial, Peer{UID: 1000, GID: 1000, Groups: []uint32{5, 65533, 6}}, false, []uint32{5, 6}},
		{partial, Peer{UID: 65534, GID: 1000}, true, nil},
		{partial, Peer{UID: 1000, GID: 65533}, true, nil},
	} {
		got, groups := c.ids.ambiguous(c.peer)
		if got != c.want || !slices.Equal(groups, c.groups) {
			t.Errorf("%+v %+v: %v %v", c.ids, c.peer, got, groups)
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

func TestUnmappedCallerIsRefused(t *testing.T) {
	server := NewServer(&fakeService{}, Options{})
	server.ids = idMap{partialUIDs: true, overflowUID: uint32(os.Getuid())}
	start(t, server).do("POST", "/v1/assertions", "{}").problem(t, CodeUnknownCaller)
}
