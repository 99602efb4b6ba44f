package cli

import (
	"encoding/json"
	"fmt"
	"strings"
)

// ParseClaims reads --claim flags: name=value, each name once. A value that is
// not JSON is a string. It returns nil for no flags.
func ParseClaims(flags []string) (map[string]json.RawMessage, error) {
	var claims map[string]json.RawMessage
	for _, flag := range flags {
		name, value, found := strings.Cut(flag, "=")
		if !found || name == "" {
			return nil, fmt.Errorf("--claim %s: want name=value", flag)
		}
		if _, twice := claims[name]; twice {
			return nil, fmt.Errorf("--claim %s is given twice", name)
		}
		if claims == nil {
			claims = make(map[string]json.RawMessage)
		}
		claims[name] = claimValue(value)
	}
	return claims, nil
}

func claimValue(text string) json.RawMessage {
	if json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	quoted, err := json.Marshal(text)
	if err != nil {
		return json.RawMessage(`""`) // a string always marshals
	}
	return quoted
}
