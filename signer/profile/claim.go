package profile

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The kinds of [ClaimError]. The caller can fix each of them.
var (
	// ErrClaimReserved: only the daemon sets this claim.
	ErrClaimReserved = errors.New("claim is reserved")
	// ErrClaimNotAllowed: the profile does not allow the claim, or this value.
	ErrClaimNotAllowed = errors.New("claim is not allowed")
	// ErrClaimRequired: a claim that the receiver requires is missing.
	ErrClaimRequired = errors.New("claim is required")
)

// ClaimError says which claim a profile refuses and why. It unwraps to
// ErrClaimReserved, ErrClaimNotAllowed or ErrClaimRequired. Its text contains
// no claim value, so it may go to the caller.
type ClaimError struct {
	Profile string
	Claim   string
	Kind    error
	Detail  string
}

func (e *ClaimError) Error() string {
	return fmt.Sprintf("claim %q: profile %s %s", e.Claim, e.Profile, e.Detail)
}

func (e *ClaimError) Unwrap() error { return e.Kind }

// ClaimRule describes a claim that the receiver knows, other than a registered
// one.
type ClaimRule struct {
	Name     string
	Required bool
	// Format says what the value must look like.
	Format string
	// Normalize checks a value and returns it as it goes into the assertion;
	// nil accepts any value.
	Normalize func(value any) (any, error)
}

// registered lists the claims that only the daemon sets (RFC 7519 section 4.1).
// signer/policy checks against a list of its own, on purpose: one wrong list
// must not be enough to let a caller set a registered claim.
var registered = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}

// headerParams lists JOSE header parameters (RFC 7515 section 4.1, RFC 7516,
// RFC 7797). They are refused as claims too, because some verifiers look for
// kid, typ or jwk in either part.
var headerParams = []string{
	"alg", "kid", "typ", "cty", "crit", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "enc", "zip", "b64",
}

// isReserved reports whether no profile lets a caller or a grant use a claim.
// It ignores case because some receivers do when they decode JSON.
func isReserved(name string) bool {
	same := func(reserved string) bool { return strings.EqualFold(reserved, name) }
	return slices.ContainsFunc(registered, same) || slices.ContainsFunc(headerParams, same)
}

// claimRule returns the profile's rule for a claim.
func (p *Profile) claimRule(name string) (ClaimRule, bool) {
	i := slices.IndexFunc(p.Claims, func(r ClaimRule) bool { return r.Name == name })
	if i < 0 {
		return ClaimRule{}, false
	}
	return p.Claims[i], true
}

// nameProblem refuses a claim name that neither callers nor grants may use.
func (p *Profile) nameProblem(name string) *ClaimError {
	refuse := func(kind error, detail string) *ClaimError {
		return &ClaimError{Profile: p.Name, Claim: name, Kind: kind, Detail: detail}
	}
	if isReserved(name) || p.owns(name) {
		return refuse(ErrClaimReserved, "sets this itself; leave it out")
	}
	if _, known := p.claimRule(name); known {
		return nil
	}
	for _, rule := range p.Claims {
		if strings.EqualFold(rule.Name, name) {
			return refuse(ErrClaimNotAllowed, fmt.Sprintf("writes it %q; claim names are matched exactly", rule.Name))
		}
	}
	if !p.OtherClaims {
		return refuse(ErrClaimNotAllowed, "has no such claim; its claims are "+list(p.claimNames(), "none"))
	}
	return nil
}

// owns reports whether the profile itself sets or forbids a claim that is not a
// registered one.
func (p *Profile) owns(name string) bool {
	return p.ClientIDClaim && strings.EqualFold("client_id", name) ||
		slices.ContainsFunc(p.Forbidden, func(f string) bool { return strings.EqualFold(f, name) })
}

func (p *Profile) claimNames() []string {
	names := make([]string, 0, len(p.Claims))
	for _, rule := range p.Claims {
		names = append(names, rule.Name)
	}
	return names
}

// normalizeClaim applies the claim's rule to its value.
func (p *Profile) normalizeClaim(name string, value any) (any, error) {
	rule, known := p.claimRule(name)
	if !known || rule.Normalize == nil {
		return value, nil
	}
	normalized, err := rule.Normalize(value)
	if err != nil {
		return nil, &ClaimError{Profile: p.Name, Claim: name, Kind: ErrClaimNotAllowed, Detail: "wants " + rule.Format + ": " + err.Error()}
	}
	return normalized, nil
}

// list joins names for a message.
func list(names []string, none string) string {
	if len(names) == 0 {
		return none
	}
	return strings.Join(names, ", ")
}
