// Package peer accepts connections on Unix sockets and identifies the process
// on the other end. It creates socket files, takes over the ones that systemd
// passes, and fills in a [caller.Caller] from what the kernel says.
//
// # Who the peer is
//
// The kernel names the process that called connect(2), with the user and group
// IDs that it had at that moment. A connected socket keeps that identity when
// it is handed to another process (fork, SCM_RIGHTS): anyone who holds the
// descriptor speaks for the process that made the connection, as with any open
// file. [caller.Caller] says how far to trust each attribute.
package peer
