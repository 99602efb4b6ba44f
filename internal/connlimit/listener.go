// Package connlimit bounds the connections that a server keeps open at a time.
//
// A [Listener] counts them and no more, for servers whose clients are
// strangers. A [Set] knows who owns each one, and shares the places among the
// owners.
package connlimit

import (
	"net"
	"sync"
)

// WhenFull says what a [Listener] does with connections past its limit.
type WhenFull int

const (
	// Queue leaves them in the kernel's queue until one of the open ones closes.
	Queue WhenFull = iota
	// Refuse closes them at once.
	Refuse
)

// Listener accepts a limited number of connections at a time. Make it with
// [NewListener].
type Listener struct {
	net.Listener
	full   WhenFull
	places chan struct{}
	closed chan struct{}
	once   sync.Once
}

// NewListener limits the connections that l has open to limit.
func NewListener(l net.Listener, limit int, full WhenFull) *Listener {
	return &Listener{Listener: l, full: full, places: make(chan struct{}, limit), closed: make(chan struct{})}
}

// Accept returns the next connection for which there is room.
func (l *Listener) Accept() (net.Conn, error) {
	if l.full == Refuse {
		return l.acceptOrRefuse()
	}
	select {
	case l.places <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.places
		return nil, err
	}
	return l.counted(c), nil
}

func (l *Listener) acceptOrRefuse() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.places <- struct{}{}:
			return l.counted(c), nil
		default:
			c.Close()
		}
	}
}

// Close closes the listener, and wakes an Accept that waits for room.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

func (l *Listener) counted(c net.Conn) net.Conn {
	return &countedConn{Conn: c, leave: sync.OnceFunc(func() { <-l.places })}
}

// countedConn gives its place back when it closes.
type countedConn struct {
	net.Conn
	leave func()
}

// Close closes the connection. It may be called again.
func (c *countedConn) Close() error {
	err := c.Conn.Close()
	c.leave()
	return err
}
