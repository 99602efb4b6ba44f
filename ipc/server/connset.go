package server

import "sync"

// excessConnections is how many connections past MaxConnections are still
// answered, with overloaded; those past them are closed at once.
const excessConnections = 64

// connOwner is who holds connections: a user on a socket, since callers in
// containers share user ids but not sockets.
type connOwner struct {
	listener string
	uid      uint32
}

// connSet holds the open connections.
type connSet struct {
	most int

	mu     sync.Mutex
	open   map[*conn]connOwner
	owned  map[connOwner]int
	excess int // how many of open are
}

func newConnSet(most int) *connSet {
	return &connSet{most: most, open: make(map[*conn]connOwner), owned: make(map[connOwner]int)}
}

// add takes a connection in, marked where it is in excess; false if it must go.
// Where all are taken, a user who holds fewer than another gets the place of one
// of the other's that is not at work, so that no user can lock the others out.
func (s *connSet) add(c *conn, owner connOwner) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full() {
		s.makeRoom(owner)
	}
	if c.excess = s.full(); c.excess {
		if s.excess == excessConnections {
			return false
		}
		s.excess++
	}
	s.open[c] = owner
	s.owned[owner]++
	return true
}

func (s *connSet) full() bool { return len(s.open)-s.excess >= s.most }

// makeRoom closes a connection of the one who holds the most, if that is more
// than newcomer would hold.
func (s *connSet) makeRoom(newcomer connOwner) {
	var greatest connOwner
	for owner, n := range s.owned {
		if n > s.owned[greatest] {
			greatest = owner
		}
	}
	if s.owned[greatest] <= s.owned[newcomer]+1 {
		return
	}
	for c, owner := range s.open {
		if owner == greatest && !c.excess && !c.working.Load() {
			s.forget(c)
			c.UnixConn.Close()
			return
		}
	}
}

func (s *connSet) forget(c *conn) {
	owner, ok := s.open[c]
	if !ok {
		return
	}
	delete(s.open, c)
	if c.excess {
		s.excess--
	}
	if s.owned[owner]--; s.owned[owner] == 0 {
		delete(s.owned, owner)
	}
}

func (s *connSet) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(c)
}

func (s *connSet) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// closeSilent closes the connections that never made a request, for which
// net/http's Shutdown would wait.
func (s *connSet) closeSilent() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		if !c.asked.Load() {
			c.UnixConn.Close()
		}
	}
}
