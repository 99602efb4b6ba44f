// Package caller describes the process at the other end of a connection. It
// makes no system calls: ipc/peer fills the struct from what the kernel says,
// policy decides on it, and the audit log records it.
package caller

// Caller is the process at the other end of a connection, as the kernel describes
// it. It is a typed value from end to end: nothing of it is ever read from text
// that the peer sent.
//
// UID, GID and Groups are those at connect(2) and always known. The attributes
// after them are looked up only if somebody asks for them, and are empty
// where they could not be established beyond doubt: an empty attribute matches
// no selector.
type Caller struct {
	UID uint32 `json:"uid"`
	GID uint32 `json:"gid"`
	// PID is the connecting process, in the daemon's pid namespace; 0 if it is not
	// visible there. It is for logs: identity is read under a pidfd, not by number.
	PID    int32    `json:"pid"`
	Groups []uint32 `json:"groups,omitempty"` // supplementary groups

	// Executable is the absolute path of the program, and the daemon's own view of
	// that path is the same file: neither a deleted program nor another mount
	// namespace's file of that name counts. Whoever may run a program can connect
	// and then become it, so it narrows a user down, and can't replace one.
	Executable string `json:"executable,omitempty"`
	// ExecutableSHA256 is the SHA-256 of the program's file, in lower-case hex.
	ExecutableSHA256 string `json:"executable_sha256,omitempty"`
	// Unit is the systemd system unit (cgroup v2). A user manager's units all
	// count as user@UID.service, since their names are that user's to choose.
	Unit string `json:"unit,omitempty"`
	// Container is the 64-digit id that the container runtime put in the cgroup's
	// name; of nested containers the outermost.
	Container string `json:"container,omitempty"`

	Listener string `json:"listener,omitempty"` // path of the socket that the caller connected to
	Client   string `json:"-"`                  // client that the socket is bound to; "" for none
}

// Attributes says which attributes of a [Caller] are wanted beyond the ids; each
// costs reads of /proc when a connection is made.
type Attributes struct {
	Executable bool // Caller.Executable
	Hash       bool // Caller.ExecutableSHA256
	Cgroup     bool // Caller.Unit and Caller.Container
}

// Covers reports whether a has everything that b has.
func (a Attributes) Covers(b Attributes) bool { return a.Union(b) == a }

// Union returns what either has.
func (a Attributes) Union(b Attributes) Attributes {
	return Attributes{a.Executable || b.Executable, a.Hash || b.Hash, a.Cgroup || b.Cgroup}
}
