package connlimit

import "testing"

type fakeConn struct{ busy, dropped bool }

func (c *fakeConn) Busy() bool { return c.busy }
func (c *fakeConn) Drop()      { c.dropped = true }

func TestMakeRoom(t *testing.T) {
	set := NewSet[int, *fakeConn](Limits[int]{Places: 4})
	add := func(owner int, busy bool) (*fakeConn, bool) {
		c := &fakeConn{busy: busy}
		return c, set.Add(c, owner)
	}
	add(1, true)
	idle, _ := add(1, false)
	add(1, true)
	add(2, false)
	if _, in := add(2, false); !in || set.owned[1] != 2 {
		t.Errorf("one of owner 1's three should have gone: %+v", set.owned)
	}
	if !idle.dropped || set.Len() != 4 {
		t.Error("a busy one was dropped")
	}
	if _, in := add(2, false); in {
		t.Error("owner 2 holds no fewer than owner 1")
	}
	if _, in := add(3, false); !in {
		t.Error("owner 3 holds none")
	}
}

// shared is a set for strangers: each may have half, 0 is exempt.
func shared(places int) *Set[int, *fakeConn] {
	return NewSet[int, *fakeConn](Limits[int]{
		Places: places, PerOwner: places / 2, Renew: true, Exempt: func(owner int) bool { return owner == 0 },
	})
}

func fill(set *Set[int, *fakeConn], owners ...int) []*fakeConn {
	conns := make([]*fakeConn, len(owners))
	for i, owner := range owners {
		conns[i] = new(fakeConn)
		set.Add(conns[i], owner)
	}
	return conns
}

func dropped(conns []*fakeConn) (which []int) {
	for i, c := range conns {
		if c.dropped {
			which = append(which, i)
		}
	}
	return which
}

func TestOneOwnerHoldsHalf(t *testing.T) {
	set := shared(4)
	conns := fill(set, 1, 1, 1, 1)
	if got := dropped(conns); len(got) != 2 || got[0] != 0 || got[1] != 1 || set.Len() != 2 {
		t.Errorf("dropped %v, %d are open", got, set.Len())
	}
	conns[2].busy, conns[3].busy = true, true
	if set.Add(new(fakeConn), 1) {
		t.Error("owner 1 got a third place")
	}
	if !set.Add(new(fakeConn), 2) {
		t.Error("owner 2 got none")
	}
}

func TestTheBusiestOwnersOldestIdleConnectionGoesFirst(t *testing.T) {
	set := shared(8)
	conns := fill(set, 2, 1, 1, 1, 2, 3, 4, 5)
	conns[1].busy = true
	for i, want := range []int{2, 0, 4} { // owner 1's, then the ties' oldest
		conns = append(conns, fill(set, 10+i)...)
		if i == 0 {
			conns[3].busy = true
		}
		if got := dropped(conns); len(got) != i+1 || !conns[want].dropped {
			t.Fatalf("newcomer %d: dropped %v, want %d too", i, got, want)
		}
	}
}

// An attacker with many addresses can't shut newcomers out either.
func TestNewcomersGetIn(t *testing.T) {
	set := shared(4)
	conns := fill(set, 1, 2, 3, 4)
	if !set.Add(new(fakeConn), 5) || !conns[0].dropped {
		t.Errorf("dropped %v", dropped(conns))
	}
	for _, c := range conns {
		c.busy = true
	}
	fill(set, 6)[0].busy = true
	for c := range set.open {
		c.busy = true
	}
	if set.Add(new(fakeConn), 7) {
		t.Error("a busy connection was dropped")
	}
}

func TestExemptOwners(t *testing.T) {
	set := shared(4)
	conns := fill(set, 0, 0, 0, 1)
	if got := dropped(conns); got != nil {
		t.Errorf("dropped %v", got)
	}
	conns = append(conns, fill(set, 0)...) // takes owner 1's place
	if got := dropped(conns); len(got) != 1 || got[0] != 3 {
		t.Errorf("dropped %v", got)
	}
	fill(set, 2) // only exempt ones are left to go
	if !conns[0].dropped {
		t.Errorf("dropped %v", dropped(conns))
	}
}

func TestReassign(t *testing.T) {
	set := shared(4)
	conns := fill(set, 0, 0, 0)
	for i, c := range conns {
		if !set.Reassign(c, 1) {
			t.Errorf("connection %d was refused", i)
		}
	}
	if got := dropped(conns); len(got) != 1 || got[0] != 0 || set.owned[1] != 2 || set.owned[0] != 0 {
		t.Errorf("dropped %v, %v", got, set.owned)
	}
	if set.Reassign(conns[0], 2) {
		t.Error("a connection that is gone has a place")
	}
	conns[1].busy, conns[2].busy = true, true
	late := fill(set, 0)[0]
	if set.Reassign(late, 1) || set.owned[0] != 1 {
		t.Errorf("owner 1 got a third place: %v", set.owned)
	}
}

func TestRemove(t *testing.T) {
	set := NewSet[int, *fakeConn](Limits[int]{Places: 2})
	first, second := &fakeConn{}, &fakeConn{}
	set.Add(first, 1)
	set.Add(second, 1)
	for range 2 {
		set.Remove(second)
	}
	set.Remove(first)
	if set.Len() != 0 || len(set.owned) != 0 {
		t.Errorf("%+v", set)
	}
}
