package ipc

import (
	"encoding/json"
	"fmt"
)

// Limits of the API. A request past one gets the problem named here.
const (
	MaxBodyBytes     = 64 << 10 // a request body, in bytes: request-too-large
	MaxBatch         = 64       // requests in a batch: batch-too-large
	MaxAudienceBytes = 512      // an audience, in bytes of UTF-8: malformed-request
	MaxNameBytes     = 256      // the name of a grant or key set, in bytes: malformed-request
	MaxClaimDepth    = 8        // nesting of a claim's value, a scalar being 0: malformed-request
)

// AssertionRequest is the body of POST /v1/assertions. Every member is
// optional.
type AssertionRequest struct {
	// Grant names one of the caller's grants. It may be "" if only one fits.
	Grant string `json:"grant,omitempty"`
	// Audience is one of the grant's audiences, byte for byte. It may be "" if the
	// grant has only one.
	Audience string `json:"audience,omitempty"`
	// Claims are added to the assertion if the grant allows each of them. A value
	// is any JSON but null, nested at most MaxClaimDepth deep.
	Claims map[string]json.RawMessage `json:"claims,omitempty"`
	// LifetimeSeconds is the time from iat to exp. 0 means the grant's default.
	LifetimeSeconds int64 `json:"lifetime_seconds,omitempty"`
}

// AssertionResponse answers POST /v1/assertions.
type AssertionResponse struct {
	// Assertion is the signed JWT in compact serialization (RFC 7515, section
	// 7.1).
	Assertion string `json:"assertion"`
	// AssertionType is what an OAuth token request sends as client_assertion_type,
	// or as grant_type if the profile is an authorization grant. It is empty for
	// profiles outside of OAuth.
	AssertionType string `json:"assertion_type,omitempty"`
	// Send says how to send the assertion to its receiver. Treat an unknown value
	// like SendCustom.
	Send      Send   `json:"send,omitempty"`
	Kid       string `json:"kid"`
	Alg       string `json:"alg"`
	JTI       string `json:"jti,omitempty"`
	IssuedAt  int64  `json:"issued_at"`  // iat, seconds since the Unix epoch
	ExpiresAt int64  `json:"expires_at"` // exp, seconds since the Unix epoch
	Grant     string `json:"grant"`
}

// String leaves out the assertion, which anyone who reads the log could use.
func (a AssertionResponse) String() string {
	return fmt.Sprintf("assertion [redacted] of grant %s, jti %s", a.Grant, a.JTI)
}

// GoString returns String, so that %#v leaves out the assertion too.
func (a AssertionResponse) GoString() string { return a.String() }

// BatchRequest is the body of POST /v1/assertions/batch: 1 to MaxBatch
// requests.
type BatchRequest struct {
	Requests []AssertionRequest `json:"requests"`
}

// BatchResult is the result of one request in a batch. Exactly one member is
// set.
type BatchResult struct {
	Assertion *AssertionResponse `json:"assertion,omitempty"`
	Problem   *Problem           `json:"problem,omitempty"`
}

// BatchResponse answers POST /v1/assertions/batch, in the order of the
// requests.
type BatchResponse struct {
	Results []BatchResult `json:"results"`
}
