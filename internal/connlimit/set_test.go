package connlimit

import "testing"

type fakeConn struct{ busy, dropped bool }

func (c *fakeConn) Busy() bool { return c.busy }
func (c *fakeConn) Drop()      { c.dropped = true }

func TestMakeRoom(t *testing.T) {
	set := NewSet[int, *fakeConn](4, 1)
	add := func(owner int, busy bool) (*fakeConn, Place) {
		c := &fakeConn{busy: busy}
		return c, set.Add(c, owner)
	}
	add(1, true)
	idle, _ := add(1, false)
	add(1, true)
	add(2, false)
	if _, place := add(2, false); place != Regular || set.owned[1] != 2 {
		t.Errorf("one of owner 1's three should have gone: %+v", set.owned)
	}
	if !idle.dropped || set.Len() != 4 {
		t.Error("a busy one was dropped")
	}
	if _, place := add(2, false); place != Excess {
		t.Error("owner 2 holds no fewer than owner 1")
	}
	if _, place := add(3, false); place != Regular {
		t.Error("owner 3 holds none")
	}
	if _, place := add(1, false); place != Refused {
		t.Error("the excess place is taken")
	}
}

func TestRemove(t *testing.T) {
	set := NewSet[int, *fakeConn](1, 1)
	first, second := &fakeConn{}, &fakeConn{}
	set.Add(first, 1)
	set.Add(second, 1)
	for range 2 {
		set.Remove(second)
	}
	set.Remove(first)
	if set.Len() != 0 || set.excess != 0 || len(set.owned) != 0 {
		t.Errorf("%+v", set)
	}
}
