package kubesigner

import (
	"context"
	"errors"
	"net"
	"sync/atomic"

	"google.golang.org/grpc/credentials"
	grpcpeer "google.golang.org/grpc/peer"

	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/ipc/peer"
)

// acceptor accepts the connections of a socket for gRPC.
type acceptor struct {
	*peer.Listener
	server *Server
}

// Accept returns the next connection whose credentials are known and that has a
// place.
func (a *acceptor) Accept() (net.Conn, error) {
	for {
		raw, err := a.AcceptUnix()
		if err != nil {
			return nil, err
		}
		accepted, err := a.server.identifier.Conn(a.Listener, raw)
		if err != nil {
			a.server.warn("refused", "refused a connection", "listener", a.Path(), "error", err)
			raw.Close()
			continue
		}
		c := &conn{Conn: accepted, server: a.server}
		if a.server.conns.Add(c, c.Caller().UID) {
			return c, nil
		}
		a.server.warn("places", "refused a connection, because too many are open", "listener", a.Path(), "uid", c.Caller().UID)
		raw.Close()
	}
}

// conn is a connection of a kube-apiserver.
type conn struct {
	*peer.Conn
	server *Server
	calls  atomic.Int64 // in flight
}

// Busy implements connlimit.Conn.
func (c *conn) Busy() bool { return c.calls.Load() > 0 }

// Drop implements connlimit.Conn.
func (c *conn) Drop() { c.UnixConn.Close() }

// Close gives the connection's place to others.
func (c *conn) Close() error {
	c.server.conns.Remove(c)
	return c.UnixConn.Close()
}

// identify returns the caller with the attributes that the present policy needs
// and those that are recorded.
func (c *conn) identify() caller.Caller {
	from, err := c.Identify(c.server.opts.Signer.Wants(), c.server.opts.Recorded)
	if err != nil {
		c.server.warn("identity", "attributes of a caller are unknown, so no selector for them matches",
			"uid", from.UID, "pid", from.PID, "listener", from.Listener, "error", err)
	}
	return from
}

// kernel are gRPC's credentials where the kernel names the peer.
type kernel struct{}

// peerInfo leads from a call to its connection.
type peerInfo struct {
	credentials.CommonAuthInfo
	conn *conn
}

// AuthType implements credentials.AuthInfo.
func (peerInfo) AuthType() string { return "kernel" }

// ServerHandshake identifies the peer before the first byte is read, in the
// connection's own goroutine.
func (kernel) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	c, ok := raw.(*conn)
	if !ok {
		return nil, nil, errors.New("the connection did not come from the socket")
	}
	c.identify()
	return c, peerInfo{credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}, c}, nil
}

// ClientHandshake implements credentials.TransportCredentials.
func (kernel) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("these credentials are for servers")
}

// Info implements credentials.TransportCredentials.
func (kernel) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "kernel"}
}

// Clone implements credentials.TransportCredentials.
func (k kernel) Clone() credentials.TransportCredentials { return k }

// OverrideServerName implements credentials.TransportCredentials.
func (kernel) OverrideServerName(string) error { return nil }

// connOf returns the connection of a call, nil if it is not one of ours.
func connOf(ctx context.Context) *conn {
	from, ok := grpcpeer.FromContext(ctx)
	if !ok {
		return nil
	}
	info, ok := from.AuthInfo.(peerInfo)
	if !ok {
		return nil
	}
	return info.conn
}
