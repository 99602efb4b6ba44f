package policy

import (
	"slices"
	"time"

	"github.com/assertd/assertd/ipc/caller"
)

// clientRule is a rule and the client that has it: what every grant says,
// whether for an assertion or for a raw signature.
type clientRule struct {
	client *client
	rule   *rule
}

// Valid reports whether a decision made this grant. The zero value is not
// valid, and its other methods must not be called.
func (c clientRule) Valid() bool { return c.rule != nil }

// Client is the name of the client that the caller matched.
func (c clientRule) Client() string { return c.client.name }

// Name is the grant's name, unique within its client.
func (c clientRule) Name() string { return c.rule.Name }

// Key is the key set to sign with.
func (c clientRule) Key() string { return c.rule.Key }

// InFlight is the client's cap on concurrent requests.
func (c clientRule) InFlight() int { return c.client.inFlight }

func (c clientRule) qualifiedName() string { return c.Client() + "/" + c.Name() }

// hasName reports whether a request for a grant called name means this rule.
// Names contain no slash, so the two forms can't collide.
func (c clientRule) hasName(name string) bool { return c.Name() == name || c.qualifiedName() == name }

// Grant is permission to sign one assertion. Only [Policy.Decide] makes a valid
// one; code that accepts a Grant must refuse it unless Valid reports true.
type Grant struct {
	clientRule
	audience string
	claims   map[string]any
	lifetime time.Duration
}

// Profile is the name of the assertion's profile.
func (g Grant) Profile() string { return g.rule.Profile }

// ClientID is the OAuth client identifier as configured.
func (g Grant) ClientID() string { return g.rule.ClientID }

// Issuer is the iss as configured; empty if the profile has its own.
func (g Grant) Issuer() string { return g.rule.Issuer }

// Subject is the sub as configured; empty if the profile has its own.
func (g Grant) Subject() string { return g.rule.Subject }

// KeyID is the kid that the receiver assigned; empty for the key's thumbprint.
func (g Grant) KeyID() string { return g.rule.KeyID }

// Audience is one of the configured audiences; empty if the profile has none.
func (g Grant) Audience() string { return g.audience }

// Claims returns a copy of the caller's claims and the forced ones, never a
// registered one (RFC 7519 section 4.1). Numbers are json.Number.
func (g Grant) Claims() map[string]any { return copyClaims(g.claims) }

// Lifetime is in whole seconds, at least one.
func (g Grant) Lifetime() time.Duration { return g.lifetime }

// MaxLifetime is the grant's limit, which exp - iat respects.
func (g Grant) MaxLifetime() time.Duration { return g.rule.MaxLifetime }

// BackDate is how far iat is in the past.
func (g Grant) BackDate() time.Duration { return g.rule.BackDate }

// NotBefore reports whether the assertion has nbf.
func (g Grant) NotBefore() bool { return g.rule.NotBefore }

// Loggable returns the names of the claims whose values may be logged.
func (g Grant) Loggable() []string { return slices.Clone(g.rule.Loggable) }

// RawGrant is permission to make one raw signature. Only [Policy.DecideRaw]
// makes a valid one; code that accepts a RawGrant must refuse it unless Valid
// reports true.
type RawGrant struct {
	clientRule
	hash    string
	padding string
}

// Hash is one of the configured hashes.
func (g RawGrant) Hash() string { return g.hash }

// Padding is one of the configured paddings; empty if none is configured, as
// for ECDSA and Ed25519.
func (g RawGrant) Padding() string { return g.padding }

// Reason is the stable code of a refusal.
type Reason string

// The reasons for which a request is refused. [Reasons] lists them all, and the
// API has an error code for each.
const (
	UnknownCaller      Reason = "unknown-caller"
	GrantNotFound      Reason = "grant-not-found"
	GrantAmbiguous     Reason = "grant-ambiguous"
	AudienceRequired   Reason = "audience-required"
	AudienceNotAllowed Reason = "audience-not-allowed"
	ClaimNotAllowed    Reason = "claim-not-allowed"
	ClaimReserved      Reason = "claim-reserved"
	ClaimRequired      Reason = "claim-required"
	LifetimeNotAllowed Reason = "lifetime-not-allowed"
	KeyNotAllowed      Reason = "key-not-allowed"
	HashNotAllowed     Reason = "hash-not-allowed"
	PaddingNotAllowed  Reason = "padding-not-allowed"
)

// Reasons returns every reason.
func Reasons() []Reason {
	return []Reason{
		UnknownCaller, GrantNotFound, GrantAmbiguous, AudienceRequired, AudienceNotAllowed, ClaimNotAllowed,
		ClaimReserved, ClaimRequired, LifetimeNotAllowed, KeyNotAllowed, HashNotAllowed, PaddingNotAllowed,
	}
}

// Refusal is the error of [Policy.Decide] and [Policy.DecideRaw]. Detail is for
// the caller, in full sentences: it says what is wrong and what to do. It names
// only the caller's own grants, and repeats no claim value.
type Refusal struct {
	Code   Reason `json:"code"`
	Detail string `json:"detail"`

	// Client and Grant are for the audit record only: the client that the
	// caller matched, or whose socket it used, and the grant that refused. They
	// are empty if there is none, or more than one.
	Client string `json:"-"`
	Grant  string `json:"-"`
}

// attribute records which client the refusal is about, unless that is already
// known. It does nothing on a nil Refusal.
func (r *Refusal) attribute(clients []*client, caller *caller.Caller) *Refusal {
	switch {
	case r == nil || r.Client != "":
	case len(clients) == 0:
		r.Client = caller.Client
	case len(clients) == 1:
		r.Client = clients[0].name
	}
	return r
}

// Error returns the detail.
func (r *Refusal) Error() string { return r.Detail }

// Is makes errors.Is(err, &Refusal{Code: c}) match every refusal with code c.
func (r *Refusal) Is(target error) bool {
	other, ok := target.(*Refusal)
	return ok && other.Code == r.Code && other.Detail == ""
}
