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
	// Rule is what the profile says about the claim, Advice what to do.
	Rule, Advice string
}

// Error returns two sentences for the caller.
func (e *ClaimError) Error() string {
	return fmt.Sprintf("Profile %s %s. %s.", e.Profile, e.Rule, e.Advice)
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
	refuse := func(kind error, rule, advice string) *ClaimError {
		return &ClaimError{Profile: p.Name, Claim: name, Kind: kind, Rule: rule, Advice: advice}
	}
	if isReserved(name) || p.owns(name) {
		return refuse(ErrClaimReserved, fmt.Sprintf("reserves claim %q", name), "Leave it out")
	}
	if _, known := p.claimRule(name); known {
		return nil
	}
	for _, rule := range p.Claims {
		if strings.EqualFold(rule.Name, name) {
			return refuse(ErrClaimNotAllowed, fmt.Sprintf("spells claim %q as %q", name, rule.Name), "Use that spelling")
		}
	}
	if !p.OtherClaims {
		return refuse(ErrClaimNotAllowed, fmt.Sprintf("has no claim %q, only %s", name, p.claimNames()), "Leave it out")
	}
	return nil
}

// owns reports whether the profile itself sets or forbids a claim that is not a
// registered one.
func (p *Profile) owns(name string) bool {
	return p.ClientIDClaim && strings.EqualFold("client_id", name) ||
		slices.ContainsFunc(p.Forbidden, func(f string) bool { return strings.EqualFold(f, name) })
}

func (p *Profile) claimNames() string {
	if len(p.Claims) == 0 {
		return "those that it sets itself"
	}
	names := make([]string, len(p.Claims))
	for i, rule := range p.Claims {
		names[i] = rule.Name
	}
	return strings.Join(names, ", ")
}

// normalizeClaim applies the claim's rule to its value.
func (p *Profile) normalizeClaim(name string, value any) (any, error) {
	rule, _ := p.claimRule(name)
	normalized, err := rule.normalize(value)
	if err != nil {
		return nil, &ClaimError{
			Profile: p.Name, Claim: name, Kind: ErrClaimNotAllowed,
			Rule: rule.requirement(), Advice: "The value " + err.Error(),
		}
	}
	return normalized, nil
}

func (r ClaimRule) normalize(value any) (any, error) {
	if r.Normalize == nil {
		return value, nil
	}
	return r.Normalize(value)
}

func (r ClaimRule) requirement() string {
	return fmt.Sprintf("requires claim %q to be %s", r.Name, r.Format)
}
