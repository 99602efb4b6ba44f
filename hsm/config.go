package hsm

// DefaultSessions is how many sessions sign side by side when Config doesn't say.
const DefaultSessions = 4

// Config says which token to open and how.
type Config struct {
	// Module is the path of the PKCS#11 module, a shared library that others can't write.
	Module string
	// Label and Serial select the token: at least one is given, and all that are given must match exactly one token.
	Label, Serial string
	// Sessions is how many signatures are made side by side; 0 means DefaultSessions. A token that allows fewer gets fewer.
	Sessions int
	// SessionCopies lets keys sign through copies that live in this process's session (see Token.Refresh).
	SessionCopies bool
}

// TokenInfo describes an open token.
type TokenInfo struct {
	Label, Serial       string
	Manufacturer, Model string
	Firmware            string
	Slot                uint // of this process alone; never a way to find the token again
}

// Selector says which key to find: by label, by ID, or by both.
type Selector struct {
	Label string
	ID    []byte
}

// Spec is a key pair to generate.
type Spec struct {
	// Label must not be on the token yet.
	Label string
	// ID is the CKA_ID; nil means 16 random bytes.
	ID []byte
	// Type is one of KeyTypes.
	Type KeyType
}
