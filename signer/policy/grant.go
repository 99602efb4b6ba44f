package policy

import (
	"slices"
	"time"
)

// Grant is permission to sign one assertion. Only [Policy.Decide] makes a valid one; whoever takes a Grant must refuse it unless
// Valid.
type Grant struct {
	client   *client
	rule     *rule
	audience string
	claims   map[string]any
	lifetime time.Duration
}

// Valid reports whether the grant was made by a decision. The zero Grant is not valid, and its other methods must not be called.
func (g Grant) Valid() bool { return g.rule != nil }

// Client is the name of the client that the caller is.
func (g Grant) Client() string { return g.client.Name }

// Name is the grant's name, unique within its client.
func (g Grant) Name() string { return g.rule.Name }

// Key is the key set to sign with.
func (g Grant) Key() string { return g.rule.Key }

// Profile is the shape of the assertion.
func (g Grant) Profile() string { return g.rule.Profile }

// ClientID is the OAuth client identifier as configured.
func (g Grant) ClientID() string { return g.rule.ClientID }

// Issuer is the iss as configured; empty where the profile has its own.
func (g Grant) Issuer() string { return g.rule.Issuer }

// Subject is the sub as configured; empty where the profile has its own.
func (g Grant) Subject() string { return g.rule.Subject }

// KeyID is the kid that the receiver gave; empty for the key's thumbprint.
func (g Grant) KeyID() string { return g.rule.KeyID }

// Audience is one of the configured audiences; empty where the profile has none.
func (g Grant) Audience() string { return g.audience }

// Claims returns a copy of the caller's claims and the forced ones, never a registered one (RFC 7519 section 4.1). Numbers are
// json.Number.
func (g Grant) Claims() map[string]any { return copyClaims(g.claims) }

// Lifetime is in whole seconds, at least one.
func (g Grant) Lifetime() time.Duration { return g.lifetime }

// Rates returns the grant's own rate windows.
func (g Grant) Rates() []Window { return slices.Clone(g.rule.Rates) }

// Loggable returns the names of the claims whose values may be logged.
func (g Grant) Loggable() []string { return slices.Clone(g.rule.Loggable) }

// InFlight is the client's cap on requests at one time.
func (g Grant) InFlight() int { return g.client.InFlight }

// RawGrant is permission to make one raw signature. Only [Policy.DecideRaw] makes a valid one.
type RawGrant struct {
	client  *client
	rule    *rule
	hash    string
	padding string
}

// Valid reports whether the grant was made by a decision. The zero RawGrant is not valid, and its other methods must not be called.
func (g RawGrant) Valid() bool { return g.rule != nil }

// Client is the name of the client that the caller is.
func (g RawGrant) Client() string { return g.client.Name }

// Name is the grant's name, unique within its client.
func (g RawGrant) Name() string { return g.rule.Name }

// Key is the key set to sign with.
func (g RawGrant) Key() string { return g.rule.Key }

// Hash is one of the configured hashes.
func (g RawGrant) Hash() string { return g.hash }

// Padding is one of the configured paddings; empty where none is configured, as for ECDSA and Ed25519.
func (g RawGrant) Padding() string { return g.padding }

// Rates returns the grant's own rate windows.
func (g RawGrant) Rates() []Window { return slices.Clone(g.rule.Rates) }

// InFlight is the client's cap on requests at one time.
func (g RawGrant) InFlight() int { return g.client.InFlight }
