package daemon

import (
	"net"
	"sync"
)

// fewConnections closes connections past a number at once.
type fewConnections struct {
	net.Listener
	open chan struct{}
}

// Accept returns the next connection for which there is room.
func (l *fewConnections) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.open <- struct{}{}:
			return &counted{c, sync.OnceFunc(func() { <-l.open })}, nil
		default:
			c.Close()
		}
	}
}

// counted is a connection that gives its place back when it closes.
type counted struct {
	net.Conn
	leave func()
}

// Close closes the connection. It may be called again.
func (c *counted) Close() error {
	c.leave()
	return c.Conn.Close()
}
