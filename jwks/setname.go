package jwks

import (
	"fmt"
	"strings"
)

// MaxSetName is the maximum length of a key set's name, in bytes: some tokens
// store only short labels, and the name is part of a URL path.
const MaxSetName = 64

// CheckSetName refuses (ErrSetName) all names but 1 to MaxSetName letters,
// digits, '.', '_' and '-', the first one a letter or digit.
func CheckSetName(name string) error {
	if name == "" || len(name) > MaxSetName {
		return fmt.Errorf("%w: %q has %d bytes, want 1 to %d", ErrSetName, name, len(name), MaxSetName)
	}
	for i, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || !strings.ContainsRune("._-", rune(c))) {
			return fmt.Errorf("%w: %q; use letters, digits, '.', '_' and '-', and begin with a letter or digit", ErrSetName, name)
		}
	}
	return nil
}
