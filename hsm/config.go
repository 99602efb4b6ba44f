package hsm

import "github.com/assertd/assertd/internal/trustpath"

// DefaultSessions is the default of Config.Sessions.
const DefaultSessions = 4

// Config says which token to open and how.
type Config struct {
	// Module is the absolute path of the PKCS#11 module, a shared library that
	// only root and this process's user can write.
	Module string
	// Label and Serial select the token: set at least one. They must match
	// exactly one token.
	Label, Serial string
	// Trust relaxes who may have been able to write the module.
	Trust trustpath.Rules
	// Sessions is how many signatures run in parallel; 0 means DefaultSessions.
	// If the token allows fewer, so does this package.
	Sessions int
	// SessionCopies lets keys sign through session objects copied from them
	// (see Token.Refresh).
	SessionCopies bool
	// RetryPIN lets Open try the PIN although the token reports that one more
	// wrong one locks it (CKF_USER_PIN_FINAL_TRY). A person has to ask for that.
	RetryPIN bool
	// AlwaysAuthenticate lets keys with CKA_ALWAYS_AUTHENTICATE sign. The PIN is
	// entered for each signature, so it stays in memory until Close.
	AlwaysAuthenticate bool
	// AcceptUnknown names attributes, such as CKA_SIGN_RECOVER, that a key may
	// leave unknown: each is one of Acceptable.
	AcceptUnknown []string
}

// TokenInfo describes an open token.
type TokenInfo struct {
	Label, Serial       string
	Manufacturer, Model string
	Firmware            string
	Slot                uint     // in this process; it doesn't identify the token
	PIN                 PINState // before the login, which clears it
	Module              ModuleInfo
	// SharedLogin is true if the token was logged in already, by another process
	// behind a proxy module. Then nothing has checked the PIN.
	SharedLogin bool
}

// Selector selects a key by label, by ID, or by both.
type Selector struct {
	Label string
	ID    []byte
}

// Spec is a key pair to generate.
type Spec struct {
	// Label must be new on the token.
	Label string
	// ID is the CKA_ID; nil means 16 random bytes.
	ID []byte
	// Type is one of KeyTypes.
	Type KeyType
	// Alg is the JOSE algorithm that the key will sign with; its first signature
	// is made with it (see Key.Prove).
	Alg string
	// AcceptImported accepts a new key of a provider whose tokens never report
	// CKA_LOCAL, so that it looks imported from then on. Import ignores it.
	AcceptImported bool
}
