// Package descent tells a process's descendants from all other processes.
//
// A PKCS#11 module runs in a child of the daemon, with the daemon's user. It
// could connect to the daemon's own sockets, which trust that user. So the
// daemon asks of each peer with that user whether it is a descendant. None of
// its children has a reason to connect.
//
// A process can't leave the family: the daemon is a child subreaper
// (PR_SET_CHILD_SUBREAPER), so an orphan's next parent is the daemon or one of
// its descendants. In return the daemon has to reap orphans.
package descent
