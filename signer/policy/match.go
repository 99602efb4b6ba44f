package policy

import "github.com/assertd/assertd/ipc/caller"

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

// wants returns the attributes of a caller that the selectors look at.
func (m *Match) wants() caller.Attributes {
	return caller.Attributes{
		Executable: m.Executable != "",
		Hash:       m.ExecutableSHA256 != "",
		Cgroup:     m.Unit != "" || m.Container != "",
	}
}
