// Package caller describes the process at the other end of a connection. It
// makes no system calls: ipc/peer fills in a Caller from what the kernel says,
// policy decides about it, and the audit log records it.
package caller

import (
	"context"
)

// Caller is the process at the other end of a connection, as the kernel
// describes it. Nothing in it ever comes from text that the peer sent.
//
// UID, GID and Groups are those at connect(2) and are always known. The
// attributes after them are looked up only when policy or the audit log needs
// them. An attribute that could not be established beyond doubt is empty, and
// an empty attribute matches no selector.
type Caller struct {
	UID uint32 `json:"uid"`
	GID uint32 `json:"gid"`
	// PID is the connecting process in the daemon's PID namespace, or 0 if it is
	// not visible there. It is for logs only: attributes are read under a pidfd,
	// not by number.
	PID    int32    `json:"pid"`
	Groups []uint32 `json:"groups,omitempty"` // supplementary groups

	// Executable is the absolute path of the program. The daemon has checked that
	// it sees the same file under that path, so neither a deleted program nor a
	// file in another mount namespace counts. Anyone who may run a program can
	// connect first and execute it afterwards, so Executable can narrow down a
	// user but can't stand in for one.
	Executable string `json:"executable,omitempty"`
	// ExecutableSHA256 is the SHA-256 of the program's file, in lower-case hex.
	ExecutableSHA256 string `json:"executable_sha256,omitempty"`
	// Unit is the systemd system unit (cgroup v2). Units of a user manager all
	// count as user@UID.service, since the user chooses their names.
	Unit string `json:"unit,omitempty"`
	// Container is the 64-digit ID that the container runtime put in the cgroup's
	// name. For nested containers it is the outermost one.
	Container string `json:"container,omitempty"`

	Listener string `json:"listener,omitempty"` // path of the socket that the caller connected to
	Client   string `json:"-"`                  // client that the socket is bound to, if any
}

// Attributes says which attributes of a [Caller] to look up beyond the IDs.
// Each one costs reads of /proc for every connection.
type Attributes struct {
	Executable bool // Caller.Executable
	Hash       bool // Caller.ExecutableSHA256
	Cgroup     bool // Caller.Unit and Caller.Container
}

// Covers reports whether a includes everything in b.
func (a Attributes) Covers(b Attributes) bool { return a.Union(b) == a }

// Union returns the attributes in a or b.
func (a Attributes) Union(b Attributes) Attributes {
	return Attributes{a.Executable || b.Executable, a.Hash || b.Hash, a.Cgroup || b.Cgroup}
}

type requestIDKey struct{}

// RequestID is the ID of the request that ctx belongs to, "" if none.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// WithRequestID returns a context that carries a request ID.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}
