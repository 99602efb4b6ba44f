package ipc

import (
	"encoding/json"

	"github.com/assertd/assertd/ipc/caller"
)

// GrantsResponse answers GET /v1/grants: what the caller may have signed.
type GrantsResponse struct {
	Caller CallerInfo  `json:"caller"`
	Grants []GrantInfo `json:"grants"`
}

// CallerInfo tells callers how the daemon has identified them. Attributes that
// no client in the configuration matches on are not looked up, and left out.
type CallerInfo struct {
	caller.Caller
	// Clients are the clients that match this caller.
	Clients []string `json:"clients,omitempty"`
}

// Uses of a grant, and of its key set.
const (
	UseAssertion  = "assertion"
	UseRaw        = "raw"
	UseKubernetes = "kubernetes" // tokens of Kubernetes service accounts, over gRPC
)

// GrantInfo describes a grant. A raw grant has none of the members for
// assertions, and a grant for assertions has none of the members for raw
// signatures. One for Kubernetes tokens has neither.
type GrantInfo struct {
	Name   string `json:"name"`
	Client string `json:"client"`
	Use    string `json:"use"` // UseAssertion, UseRaw or UseKubernetes
	Key    string `json:"key"`
	Kid    string `json:"kid,omitempty"` // of the version that signs now
	Alg    string `json:"alg,omitempty"`

	Profile   string      `json:"profile,omitempty"`
	Issuer    string      `json:"issuer,omitempty"`
	Subject   string      `json:"subject,omitempty"`
	Audiences []string    `json:"audiences,omitempty"`
	Lifetime  *Lifetime   `json:"lifetime,omitempty"`
	Claims    *ClaimsInfo `json:"claims,omitempty"`

	Hashes   []string `json:"hashes,omitempty"`
	Paddings []string `json:"paddings,omitempty"`

	Budgets  []BudgetInfo `json:"budgets,omitempty"`
	InFlight int          `json:"in_flight_limit,omitempty"` // requests at a time, for the whole client
}

// Lifetime has the default and the maximum lifetime of a grant's assertions.
type Lifetime struct {
	DefaultSeconds int64 `json:"default_seconds"`
	MaxSeconds     int64 `json:"max_seconds"`
}

// ClaimsInfo says which claims a caller may add (Allow), which the daemon
// always sets (Set), and which a request must have (Require).
type ClaimsInfo struct {
	Allow   map[string]ClaimInfo       `json:"allow,omitempty"`
	Set     map[string]json.RawMessage `json:"set,omitempty"`
	Require []string                   `json:"require,omitempty"`
}

// ClaimInfo describes the values that a claim may have.
type ClaimInfo struct {
	Any    bool              `json:"any,omitempty"`
	Values []json.RawMessage `json:"values,omitempty"`
	Words  bool              `json:"words,omitempty"` // space-separated words, each one of Values

	// MaxItems is above 0 if the value is an array. It then has 1 to MaxItems of
	// Values, each at most once.
	MaxItems int `json:"max_items,omitempty"`
}

// BudgetInfo is a rate window and what is left of it.
type BudgetInfo struct {
	Name         string  `json:"name"` // the grant or key set that the window belongs to
	Limit        int     `json:"limit"`
	PerSeconds   float64 `json:"per_seconds"`
	Burst        int     `json:"burst,omitempty"`
	Scope        string  `json:"scope,omitempty"` // fleet if all daemons share the window; Remaining is then without what others used
	Remaining    int     `json:"remaining"`
	ResetSeconds float64 `json:"reset_seconds"` // until the whole limit is available again
}
