package policy

// Caller is a process at the other end of a socket, as the kernel describes it. An attribute that could not be read is empty and
// holds for no selector.
type Caller struct {
	UID, GID uint32
	PID      int32
	Groups   []uint32 // supplementary group ids

	Executable       string // absolute path
	ExecutableSHA256 string // 64 lower-case hex digits
	Unit             string // systemd unit, with its suffix
	Container        string // container id

	Listener string // path of the socket by which it came
	Client   string // client to which that socket is bound; empty if none
}

// Match selects callers. All selectors that are given must hold, and at least one must be given.
type Match struct {
	UID              *uint32
	GID              *uint32 // the primary or any supplementary group
	Executable       string  // absolute, clean path
	ExecutableSHA256 string  // 64 hex digits
	Unit             string  // with its suffix, such as payments.service
	Container        string
	Listener         string
}

// Attributes names what must be found out about a caller beyond what the socket itself tells.
type Attributes struct {
	Executable bool // the path of its executable
	Hash       bool // the SHA-256 of its executable
	Cgroup     bool // its cgroup, which holds unit and container id
}

func (a *Attributes) add(m Match) {
	a.Executable = a.Executable || m.Executable != ""
	a.Hash = a.Hash || m.ExecutableSHA256 != ""
	a.Cgroup = a.Cgroup || m.Unit != "" || m.Container != ""
}
