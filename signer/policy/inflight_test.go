package policy

import (
	"testing"

	"github.com/assertd/assertd/ipc/caller"
)

func TestInFlight(t *testing.T) {
	uid := uint32(7)
	rule := func(name string) Rule {
		r := bank()
		r.Name = name
		return r
	}
	p, err := New([]Client{
		{Name: "wide", Match: Match{UID: &uid}, Grants: []Rule{rule("a"), rule("b")}},
		{Name: "narrow", Match: Match{UID: &uid}, InFlight: 2, Grants: []Rule{rule("b")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		uid    uint32
		grants []string
		want   int
	}{
		{7, []string{"a"}, DefaultInFlight},
		{7, []string{"a", "b"}, 2},
		{7, []string{"wide/b"}, DefaultInFlight},
		{7, []string{""}, 2},
		{7, []string{"c"}, 0},
		{8, []string{"a"}, 0},
	} {
		if got := p.InFlight(caller.Caller{UID: test.uid}, test.grants); got != test.want {
			t.Errorf("uid %d, grants %q: %d, want %d", test.uid, test.grants, got, test.want)
		}
	}
}
