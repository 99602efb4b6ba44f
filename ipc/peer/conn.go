package peer

import (
	"net"
	"sync"
	"sync/atomic"

	"github.com/assertd/assertd/ipc/caller"
)

// Conn is a connection together with who made it.
type Conn struct {
	*net.UnixConn
	identifier *Identifier
	unmapped   bool

	mu    sync.Mutex // held while /proc is read
	known atomic.Pointer[identity]
}

// identity is a caller and the attributes that were looked up for it, found or not.
type identity struct {
	caller caller.Caller
	has    caller.Attributes
}

// Conn reads the credentials of a connection that l accepted, which costs two
// system calls and can't wait.
func (id *Identifier) Conn(l *BoundListener, c *net.UnixConn) (*Conn, error) {
	who, err := Credentials(c)
	if err != nil {
		return nil, err
	}
	who.Listener, who.Client = l.Path(), l.Client()
	out := &Conn{UnixConn: c, identifier: id}
	out.unmapped, who.Groups = id.ids.ambiguous(who)
	out.known.Store(&identity{caller: who})
	return out, nil
}

// Unmapped reports whether the caller is a user whom the daemon's user namespace
// can't tell from others.
func (c *Conn) Unmapped() bool { return c.unmapped }

// Caller returns the caller as far as it is known.
func (c *Conn) Caller() caller.Caller { return c.known.Load().caller }

// Identify returns the caller with the attributes that decide and those that are
// noted. /proc is read only when that is more than was looked up before. The error
// says why attributes that decide are missing; they are empty then.
func (c *Conn) Identify(decisive, noted caller.Attributes) (caller.Caller, error) {
	want := decisive.Union(noted)
	if known := c.known.Load(); known.has.Covers(want) {
		return known.caller, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.known.Load()
	if known.has.Covers(want) {
		return known.caller, nil
	}
	next := &identity{caller: known.caller, has: known.has.Union(want)}
	next.caller.Executable, next.caller.ExecutableSHA256, next.caller.Unit, next.caller.Container = "", "", "", ""
	err := c.identifier.identify(c.UnixConn, next.has, &next.caller)
	if isTransient(err) {
		next.has = known.has
	}
	c.known.Store(next)
	if !concerns(err, decisive) {
		err = nil
	}
	return next.caller, err
}
