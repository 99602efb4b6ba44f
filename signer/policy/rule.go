package policy

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/assertd/assertd/internal/rate"
)

// Limits on every request.
const (
	maxAudience = 512 // bytes in an audience
	maxDepth    = 8   // levels of arrays and objects in a claim's value
)

// DefaultInFlight caps a client's concurrent requests if its InFlight is 0.
const DefaultInFlight = 64

// Client names the callers that match, and lists what they may have signed.
type Client struct {
	Name     string
	Match    Match
	Grants   []Rule
	InFlight int // concurrent requests; 0 means DefaultInFlight
}

// Rule is one grant as configured: what may be signed, for which audience, and
// how often. Key, Profile, ClientID, Issuer, Subject and KeyID pass unchanged
// to the [Grant]; the caller has no influence on them.
type Rule struct {
	Name string // unique within its client
	Key  string // key set

	Profile  string
	ClientID string
	Issuer   string
	Subject  string
	KeyID    string // the kid that the receiver assigned, if it assigned one

	Audiences  []string // compared byte by byte; empty allows none
	NoAudience bool     // the profile has no audience (GitHub Apps, DPoP); requests must not name one

	DefaultLifetime time.Duration // whole seconds, at least one
	MaxLifetime     time.Duration // whole seconds, at least the default

	BackDate  time.Duration // how far iat is in the past; whole seconds
	NotBefore bool          // the assertion has nbf

	Allow    map[string]ClaimRule // claims that the caller may send
	Force    map[string]any       // claims that the grant sets, with their values
	Require  []string             // claims that every assertion must have
	Loggable []string             // claims whose values may go into the audit log

	// Rates are limits, not permissions. A grant without any has no budget of
	// its own; the budgets of its key set and the client's in-flight cap still
	// apply.
	Rates []rate.Window

	// Raw makes this a grant for raw signatures. Profile, audience, lifetime
	// and claims must then be empty.
	Raw *RawRule

	// Kubernetes makes this a grant for tokens of Kubernetes service accounts,
	// whose claims the caller writes. The same must then be empty.
	Kubernetes *KubernetesRule
}

// ClaimRule says which values a claim may have. The zero value allows none.
type ClaimRule struct {
	Any bool // every value; nothing else must be set

	// Values are compared as JSON values: 1, 1.0 and 1e0 are the same number,
	// and objects are compared member by member. The claim is one of them, so it
	// is an array or an object only if that very value is listed.
	Values []any

	// Words makes the claim a list of words, like OAuth's scope (RFC 6749
	// section 3.3): one string of words separated by single spaces. Each word
	// must be in Values.
	Words bool

	// EachOf makes the claim an array of 1 to MaxItems scalars. Each must be in
	// Values, and none is there twice. If MaxItems is 0, the array may have all
	// of Values.
	EachOf   bool
	MaxItems int
}

// MostItems returns how many items the claim's array may have, or 0 if the
// claim is not an array.
func (r ClaimRule) MostItems() int {
	if !r.EachOf {
		return 0
	}
	return cmp.Or(r.MaxItems, len(r.Values))
}

// RawRule lists the hashes and paddings that raw signatures may use.
type RawRule struct {
	Hashes   []string
	Paddings []string // empty if the key has no padding (ECDSA, Ed25519)
}

// clone copies everything that a holder of the Rule could modify.
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
	if r.Kubernetes != nil {
		r.Kubernetes = r.Kubernetes.clone()
	}
	if r.Raw != nil {
		r.Raw = &RawRule{Hashes: slices.Clone(r.Raw.Hashes), Paddings: slices.Clone(r.Raw.Paddings)}
	}
	return r
}
