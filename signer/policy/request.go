package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Request asks for an assertion.
type Request struct {
	Grant    string         // "grant" or "client/grant"; empty: the only grant that allows the request
	Audience string         // empty: the grant's only audience
	Claims   map[string]any // JSON values, with numbers as json.Number
	Lifetime time.Duration  // whole seconds; 0: the grant's default
}

// RawRequest asks for a raw signature over a digest.
type RawRequest struct {
	Key     string
	Hash    string
	Padding string // empty: the grant's only padding, or none
}

// ParseClaims decodes the values of a request's claims. Numbers stay as they
// are written. It refuses nothing but what is not JSON.
func ParseClaims(texts map[string]json.RawMessage) (map[string]any, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	claims := make(map[string]any, len(texts))
	for name, text := range texts {
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		var value any
		if err := decoder.Decode(&value); err != nil {
			return nil, fmt.Errorf("the value of claim %q is not JSON: %w", name, err)
		}
		claims[name] = value
	}
	return claims, nil
}
