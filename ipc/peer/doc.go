// Package peer accepts connections on Unix sockets and finds out who made them: it
// makes the socket files, takes over those of systemd, and fills [caller.Caller]
// from what the kernel says.
//
// # Who the peer is
//
// The kernel names the process that called connect(2), with the user and group
// ids that it had then. A connected socket that is handed to another process
// (fork, SCM_RIGHTS) keeps that identity: whoever holds the descriptor speaks
// for the process that made the connection, as with any open file. See
// [caller.Caller] for what each attribute is worth.
package peer
