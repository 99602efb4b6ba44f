package peer

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/assertd/assertd/ipc/caller"
)

// Conn is a connection and the caller that made it.
type Conn struct {
	*net.UnixConn
	identifier *Identifier
	unmapped   bool

	mu       sync.Mutex // held while /proc is read
	identity atomic.Pointer[identity]
}

// identity is a caller and the attributes that were looked up, found or not.
type identity struct {
	caller   caller.Caller
	lookedUp caller.Attributes
}

// Conn reads the credentials of a connection that l accepted. That takes two
// system calls, which don't block, and a few more for a peer with the daemon's
// own user. The error is that of [RefuseDescendant], or a system call's.
func (id *Identifier) Conn(l *Listener, conn *net.UnixConn) (*Conn, error) {
	from, err := Credentials(conn)
	if err != nil {
		return nil, err
	}
	if err := RefuseDescendant(conn, from, id.family); err != nil {
		return nil, fmt.Errorf("process %d: %w", from.PID, err)
	}
	from.Listener, from.Client = l.Path(), l.Client()
	c := &Conn{UnixConn: conn, identifier: id}
	c.unmapped, from.Groups = id.ids.ambiguous(from)
	c.identity.Store(&identity{caller: from})
	return c, nil
}

// Unmapped reports whether the daemon's user namespace can't tell the caller's
// user or group from others.
func (c *Conn) Unmapped() bool { return c.unmapped }

// Caller returns the caller with the attributes that were looked up so far.
func (c *Conn) Caller() caller.Caller { return c.identity.Load().caller }

// Identify returns the caller with the attributes that policy needs and those
// that are only recorded. It reads /proc only for attributes that it hasn't
// looked up yet. The error says why a needed attribute is empty.
func (c *Conn) Identify(needed, recorded caller.Attributes) (caller.Caller, error) {
	want := needed.Union(recorded)
	if known := c.identity.Load(); known.lookedUp.Covers(want) {
		return known.caller, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.identity.Load()
	if known.lookedUp.Covers(want) {
		return known.caller, nil
	}
	next := &identity{caller: known.caller, lookedUp: known.lookedUp.Union(want)}
	next.caller.Executable, next.caller.ExecutableSHA256, next.caller.Unit, next.caller.Container = "", "", "", ""
	err := c.identifier.identify(c.UnixConn, next.lookedUp, &next.caller)
	switch {
	case !isTransient(err):
		c.identity.Store(next)
	case known.lookedUp.Covers(needed):
		return known.caller, nil // the next request tries again
	}
	if !affects(err, needed) {
		err = nil
	}
	return next.caller, err
}
