// Package connlimit bounds the connections that a server keeps open at a time,
// and shares the places among those who hold them.
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

// Limits of a [Set].
type Limits[O comparable] struct {
	Places int
	// PerOwner is how many places one owner can have; 0 means all. An owner that
	// has them loses its oldest idle connection to its next one.
	PerOwner int
	// Renew makes room for every newcomer if any connection is idle. Without it,
	// only an owner that holds more than the newcomer would loses a connection.
	Renew bool
	// Exempt reports whether PerOwner does not apply to an owner, whose
	// connections are also the last to be dropped. It may be nil.
	Exempt func(O) bool
}

// Set holds open connections, with their owners. Owners are compared, so that
// none of them can lock the others out. Make it with [NewSet].
type Set[O comparable, C Conn] struct {
	limits Limits[O]

	mu    sync.Mutex
	open  map[C]member[O]
	owned map[O]int
	added uint64 // so far
}

type member[O comparable] struct {
	owner O
	order uint64 // of Add
}

// NewSet makes an empty set.
func NewSet[O comparable, C Conn](limits Limits[O]) *Set[O, C] {
	return &Set[O, C]{limits: limits, open: make(map[C]member[O]), owned: make(map[O]int)}
}

// Add takes a connection in, and reports whether there was a place. If its
// owner has too many, or all are taken, it drops an idle connection of the
// owner with the most; of several, the oldest.
func (s *Set[O, C]) Add(c C, owner O) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.withinShare(owner) || s.full() && !s.makeRoom(owner) {
		return false
	}
	s.added++
	s.open[c] = member[O]{owner, s.added}
	s.owned[owner]++
	return true
}

// Reassign gives a connection to the owner that turned out to hold it. It
// returns false, and leaves the connection as it is, if that owner has no place
// left.
func (s *Set[O, C]) Reassign(c C, owner O) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.open[c]
	if !ok || !s.withinShare(owner) {
		return false
	}
	s.disown(m.owner)
	m.owner = owner
	s.open[c] = m
	s.owned[owner]++
	return true
}

func (s *Set[O, C]) full() bool { return len(s.open) >= s.limits.Places }

// withinShare makes sure that one more connection keeps an owner within its own
// limit.
func (s *Set[O, C]) withinShare(owner O) bool {
	if s.limits.PerOwner == 0 || s.exempt(owner) || s.owned[owner] < s.limits.PerOwner {
		return true
	}
	return s.dropIdle(func(m member[O]) bool { return m.owner == owner })
}

// makeRoom drops an idle connection for a newcomer.
func (s *Set[O, C]) makeRoom(newcomer O) bool {
	return s.dropIdle(func(m member[O]) bool { return s.limits.Renew || s.held(m.owner) > s.owned[newcomer]+1 })
}

// dropIdle drops one of the idle connections that may go: the oldest of the
// owner with the most.
func (s *Set[O, C]) dropIdle(may func(member[O]) bool) bool {
	var victim C
	var found *member[O]
	for c, m := range s.open {
		if (found == nil || s.before(m, *found)) && may(m) && !c.Busy() {
			victim, found = c, &m
		}
	}
	if found == nil {
		return false
	}
	s.remove(victim)
	victim.Drop()
	return true
}

// before reports whether a goes before b.
func (s *Set[O, C]) before(a, b member[O]) bool {
	if x, y := s.held(a.owner), s.held(b.owner); x != y {
		return x > y
	}
	return a.order < b.order
}

// held returns how many connections an owner has, for a comparison in which
// exempt owners come last.
func (s *Set[O, C]) held(owner O) int {
	if s.exempt(owner) {
		return 0
	}
	return s.owned[owner]
}

func (s *Set[O, C]) exempt(owner O) bool { return s.limits.Exempt != nil && s.limits.Exempt(owner) }

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
	s.disown(m.owner)
}

func (s *Set[O, C]) disown(owner O) {
	if s.owned[owner]--; s.owned[owner] == 0 {
		delete(s.owned, owner)
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
