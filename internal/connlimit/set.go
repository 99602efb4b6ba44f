package connlimit

import "sync"

// Conn is a connection in a [Set].
type Conn interface {
	comparable
	// Busy reports whether the connection is in the middle of a request, and must
	// not be dropped.
	Busy() bool
	// Drop closes the connection. It is called with the set locked, and must not
	// call Remove.
	Drop()
}

// Place is where a connection landed in a [Set].
type Place int

const (
	// Refused means that the connection is not in the set.
	Refused Place = iota
	// Excess is a place past the limit, for a connection that is told so and
	// closed.
	Excess
	// Regular is one of the places that the limit allows.
	Regular
)

// Set holds open connections, with their owners. Owners are compared, so that
// none of them can lock the others out. Make it with [NewSet].
type Set[O comparable, C Conn] struct {
	limit, excessLimit int

	mu     sync.Mutex
	open   map[C]member[O]
	owned  map[O]int
	excess int // how many of open are
}

type member[O comparable] struct {
	owner  O
	excess bool
}

// NewSet makes a set of limit regular places and excess ones past it.
func NewSet[O comparable, C Conn](limit, excess int) *Set[O, C] {
	return &Set[O, C]{limit: limit, excessLimit: excess, open: make(map[C]member[O]), owned: make(map[O]int)}
}

// Add takes a connection in. Where all regular places are taken, an owner who
// holds fewer than another gets one of the other's, whose connection is dropped
// unless it is busy.
func (s *Set[O, C]) Add(c C, owner O) Place {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full() {
		s.makeRoom(owner)
	}
	place := Regular
	if s.full() {
		if s.excess == s.excessLimit {
			return Refused
		}
		place = Excess
		s.excess++
	}
	s.open[c] = member[O]{owner, place == Excess}
	s.owned[owner]++
	return place
}

func (s *Set[O, C]) full() bool { return len(s.open)-s.excess >= s.limit }

// makeRoom drops a connection of the owner who holds the most, if that is more
// than newcomer would hold.
func (s *Set[O, C]) makeRoom(newcomer O) {
	var greatest O
	for owner, n := range s.owned {
		if n > s.owned[greatest] {
			greatest = owner
		}
	}
	if s.owned[greatest] <= s.owned[newcomer]+1 {
		return
	}
	for c, m := range s.open {
		if m.owner == greatest && !m.excess && !c.Busy() {
			s.remove(c)
			c.Drop()
			return
		}
	}
}

// Remove gives a connection's place back. It may be called again.
func (s *Set[O, C]) Remove(c C) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(c)
}

func (s *Set[O, C]) remove(c C) {
	m, ok := s.open[c]
	if !ok {
		return
	}
	delete(s.open, c)
	if m.excess {
		s.excess--
	}
	if s.owned[m.owner]--; s.owned[m.owner] == 0 {
		delete(s.owned, m.owner)
	}
}

// Len returns how many connections are open.
func (s *Set[O, C]) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// DropIf drops the connections for which condition holds. They stay in the set
// until they are removed.
func (s *Set[O, C]) DropIf(condition func(C) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		if condition(c) {
			c.Drop()
		}
	}
}
