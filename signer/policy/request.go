package policy

import "time"

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
