package policy

import (
	"maps"
	"slices"
	"time"
)

// Limits that hold for every request.
const (
	MaxAudience = 512 // bytes in an audience
	MaxDepth    = 8   // levels of arrays and objects in a claim's value

	DefaultInFlight = 64 // requests of one client at one time
)

// Client is a name for the callers that match, and what they may have signed.
type Client struct {
	Name     string
	Match    Match
	Grants   []Rule
	InFlight int // requests at one time; 0 means DefaultInFlight
}

// Rule is one grant as configured: what may be signed, for whom, and how often. Key, Profile, ClientID, Issuer, Subject and KeyID
// are carried through to the [Grant]; the caller has no say in them.
type Rule struct {
	Name string // unique within its client
	Key  string // key set

	Profile  string
	ClientID string
	Issuer   string
	Subject  string
	KeyID    string // kid to send where the receiver gave one

	Audiences  []string // compared byte by byte; empty allows none
	NoAudience bool     // the profile has no audience (GitHub Apps, DPoP): a request that names one is refused

	DefaultLifetime time.Duration // whole seconds, at least one
	MaxLifetime     time.Duration // whole seconds, not below the default

	Allow    map[string]ClaimRule // claims that the caller may send
	Force    map[string]any       // claims with these values whatever the caller sends
	Require  []string             // claims that an assertion must not lack
	Loggable []string             // claims whose values may go into the audit log

	// Rates are limits, not permissions: without any, the grant has no budget of its own, and those of its key set and the
	// client's in-flight cap still hold.
	Rates []Window

	Raw *RawRule // set: the grant is for raw signatures, and everything about profile, audience, lifetime and claims must be empty
}

// ClaimRule says which values a claim may have. The zero value allows none.
type ClaimRule struct {
	Any bool // every value; then Values and Words must not be set

	// Values are compared as JSON values: 1, 1.0 and 1e0 are the same number, objects are equal member by member. An array of
	// scalars is allowed if each of them is.
	Values []any

	// Words makes the claim a list of words, as in OAuth's scope (RFC 6749 section 3.3): one string of words separated by single
	// spaces, or an array of words. Each word must be in Values.
	Words bool
}

// RawRule is what a raw signature may be made with.
type RawRule struct {
	Hashes   []string
	Paddings []string // empty where the key takes no padding (ECDSA, Ed25519)
}

// clone copies everything that a holder of the rule could change.
func (r Rule) clone() Rule {
	r.Audiences = slices.Clone(r.Audiences)
	r.Allow = maps.Clone(r.Allow)
	for name, rule := range r.Allow {
		rule.Values = copyValues(rule.Values)
		r.Allow[name] = rule
	}
	r.Force = copyClaims(r.Force)
	r.Require = slices.Clone(r.Require)
	r.Loggable = slices.Clone(r.Loggable)
	r.Rates = slices.Clone(r.Rates)
	if r.Raw != nil {
		r.Raw = &RawRule{Hashes: slices.Clone(r.Raw.Hashes), Paddings: slices.Clone(r.Raw.Paddings)}
	}
	return r
}
