package policy

// Caller is the process at the other end of a socket, as the kernel describes
// it. An attribute that could not be read is empty and matches no selector.
type Caller struct {
	UID, GID uint32
	PID      int32
	Groups   []uint32 // supplementary group IDs

	Executable       string // absolute path
	ExecutableSHA256 string // 64 lower-case hex digits
	Unit             string // systemd unit, with its suffix
	Container        string // container ID

	Listener string // path of the socket that the caller connected to
	Client   string // client that the socket is bound to; empty if none
}

// Match selects callers. A caller must match every selector that is set, and at
// least one must be set.
type Match struct {
	UID              *uint32
	GID              *uint32 // the primary or any supplementary group
	Executable       string  // absolute, clean path
	ExecutableSHA256 string  // 64 hex digits
	Unit             string  // with its suffix, such as payments.service
	Container        string
	Listener         string
}

// Attributes says what to find out about a caller beyond what the socket itself
// reports.
type Attributes struct {
	Executable bool // the path of its executable
	Hash       bool // the SHA-256 of its executable
	Cgroup     bool // its cgroup, which names the unit and the container
}

func (a *Attributes) add(m Match) {
	a.Executable = a.Executable || m.Executable != ""
	a.Hash = a.Hash || m.ExecutableSHA256 != ""
	a.Cgroup = a.Cgroup || m.Unit != "" || m.Container != ""
}
