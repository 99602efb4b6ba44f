package profile

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The kinds of a [ClaimError]; each is the caller's to mend.
var (
	// ErrClaimReserved: the name is the daemon's to set.
	ErrClaimReserved = errors.New("claim is reserved")
	// ErrClaimNotAllowed: the profile has no such claim, or not this value.
	ErrClaimNotAllowed = errors.New("claim is not allowed")
	// ErrClaimRequired: the receiver insists on a claim that is missing.
	ErrClaimRequired = errors.New("claim is required")
)

// ClaimError says which claim a profile refuses and why. It unwraps to one of
// ErrClaimReserved, ErrClaimNotAllowed and ErrClaimRequired. Its text may go
// to the caller: it holds no value.
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

// ClaimRule describes a claim that the receiver knows besides the registered ones.
type ClaimRule struct {
	Name     string
	Required bool
	// Form says in words what the value must be.
	Form string
	// Shape checks a value and returns it as it goes into the assertion; nil
	// takes any value.
	Shape func(value any) (any, error)
}

// registered are the claims of RFC 7519 section 4.1; always the daemon's.
var registered = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}

// headerNames are JOSE header members (RFC 7515 section 4.1, RFC 7516, RFC
// 7797). As claims they are refused too: some verifiers look for kid, typ or
// jwk in either part.
var headerNames = []string{
	"alg", "kid", "typ", "cty", "crit", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "enc", "zip", "b64",
}

// Reserved reports whether a claim name is the daemon's to set in every
// profile. Names that differ only in case count as the same, as they do for
// receivers that decode JSON without regard to case.
func Reserved(name string) bool {
	same := func(reserved string) bool { return strings.EqualFold(reserved, name) }
	return slices.ContainsFunc(registered, same) || slices.ContainsFunc(headerNames, same)
}

// claimRule returns the row's rule for a claim name.
func (p *Profile) claimRule(name string) (ClaimRule, bool) {
	i := slices.IndexFunc(p.Claims, func(r ClaimRule) bool { return r.Name == name })
	if i < 0 {
		return ClaimRule{}, false
	}
	return p.Claims[i], true
}

// nameProblem refuses a claim name that no caller and no grant may use here.
func (p *Profile) nameProblem(name string) *ClaimError {
	refuse := func(kind error, detail string) *ClaimError {
		return &ClaimError{Profile: p.Name, Claim: name, Kind: kind, Detail: detail}
	}
	if Reserved(name) || p.owns(name) {
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

// owns reports whether the profile sets the claim itself, beyond the registered ones.
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

// shape runs a claim's own rule over its value.
func (p *Profile) shape(name string, value any) (any, error) {
	rule, known := p.claimRule(name)
	if !known || rule.Shape == nil {
		return value, nil
	}
	shaped, err := rule.Shape(value)
	if err != nil {
		return nil, &ClaimError{Profile: p.Name, Claim: name, Kind: ErrClaimNotAllowed, Detail: "wants " + rule.Form + ": " + err.Error()}
	}
	return shaped, nil
}

// list joins names for a sentence.
func list(names []string, none string) string {
	if len(names) == 0 {
		return none
	}
	return strings.Join(names, ", ")
}
