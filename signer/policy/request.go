package policy

import "time"

// Request asks for an assertion.
type Request struct {
	Grant    string         // a grant's name or "client/grant"; empty: the one that fits
	Audience string         // empty: the grant's only one
	Claims   map[string]any // JSON values, numbers as json.Number
	Lifetime time.Duration  // whole seconds; 0: the grant's default
}

// RawRequest asks for a raw signature over a digest.
type RawRequest struct {
	Key     string
	Hash    string
	Padding string // empty: the grant's only one, or none
}
