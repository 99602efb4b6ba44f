package profile

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"time"
)

// ErrInput marks a Build input that the daemon, not its caller, got wrong.
var ErrInput = errors.New("assertion cannot be built")

// Input is all that Build makes an assertion of. Everything but Claims comes
// from the grant, the key version and the daemon itself.
type Input struct {
	// Alg and Kid are those of the pinned key version.
	Alg, Kid string
	// ClientID, Issuer, Subject and Audience are the grant's.
	ClientID, Issuer, Subject, Audience string
	// Claims are the caller's, merged with the grant's forced ones.
	Claims map[string]any
	// Now is the daemon's time; iat is its whole second.
	Now time.Time
	// Lifetime is cut to whole seconds; zero takes the profile's default.
	Lifetime time.Duration
	// Random gives the jti; crypto/rand.Reader outside tests.
	Random io.Reader
	// Public is the key version's public key.
	Public crypto.PublicKey
	// Certificates is the key's chain, leaf first; only profiles whose header
	// speaks of a certificate look at it.
	Certificates []*x509.Certificate
}

// Token is an assertion before its signature.
type Token struct {
	// Header holds every member but alg and kid, which the signer sets from
	// the key version that it signs with.
	Header map[string]any
	Claims map[string]any
	// JTI is empty where the receiver knows no jti.
	JTI string
	// IssuedAt is the present second; iat is earlier where the profile dates back.
	IssuedAt, ExpiresAt time.Time
}

// Build makes the header and the claims. A [*ClaimError] is the caller's to
// mend; any other error unwraps to [ErrInput] or comes from in.Random, and is
// the daemon's.
func (p *Profile) Build(in Input) (Token, error) {
	lifetime, err := p.checkInput(in)
	if err != nil {
		return Token{}, err
	}
	claims, err := p.callerClaims(in.Claims)
	if err != nil {
		return Token{}, err
	}
	if err := p.setParties(claims, in); err != nil {
		return Token{}, err
	}
	token := Token{Claims: claims, IssuedAt: in.Now.Truncate(time.Second)}
	token.ExpiresAt = token.IssuedAt.Add(lifetime)
	p.setTimes(claims, token)
	if token.JTI, err = p.JTI.make(in.Random); err != nil {
		return Token{}, err
	}
	if token.JTI != "" {
		claims["jti"] = token.JTI
	}
	token.Header, err = p.header(in)
	return token, err
}

func (p *Profile) checkInput(in Input) (time.Duration, error) {
	refuse := func(format string, args ...any) (time.Duration, error) {
		return 0, fmt.Errorf("%w: profile %s: "+format, append([]any{ErrInput, p.Name}, args...)...)
	}
	lifetime := in.Lifetime.Truncate(time.Second)
	if in.Lifetime == 0 {
		lifetime = p.DefaultLifetime
	}
	switch {
	case !slices.Contains(p.Algorithms, in.Alg):
		return refuse("algorithm %q is not one of %s", in.Alg, list(p.Algorithms, "none"))
	case in.Now.Unix() <= 0:
		return refuse("the time is not set")
	case in.Random == nil:
		return refuse("there is no source of randomness")
	case lifetime < time.Second || lifetime > p.MaxLifetime:
		return refuse("a lifetime of %s is not within 1s and %s", in.Lifetime, seconds(p.MaxLifetime))
	case p.ExactLifetime && lifetime != p.MaxLifetime:
		return refuse("a lifetime of %s is not exactly %s", in.Lifetime, seconds(p.MaxLifetime))
	}
	return lifetime, nil
}

// callerClaims copies the claims after checking every name again: the policy
// has done so before, but a signature must not hang on one check alone.
func (p *Profile) callerClaims(given map[string]any) (map[string]any, error) {
	claims := make(map[string]any, len(given)+8)
	for _, name := range sortedNames(given) {
		if refused := p.nameProblem(name); refused != nil {
			return nil, refused
		}
		value, err := p.shape(name, given[name])
		if err != nil {
			return nil, err
		}
		claims[name] = value
	}
	for _, rule := range p.Claims {
		if _, there := claims[rule.Name]; rule.Required && !there {
			return nil, &ClaimError{Profile: p.Name, Claim: rule.Name, Kind: ErrClaimRequired, Detail: "requires it: " + or(rule.Form, "any value")}
		}
	}
	return claims, nil
}

// setParties sets iss, sub, aud and client_id.
func (p *Profile) setParties(claims map[string]any, in Input) error {
	iss, err := p.Issuer.claim(p.Name, "iss", in)
	if err != nil {
		return err
	}
	sub, err := p.Subject.claim(p.Name, "sub", in)
	if err != nil {
		return err
	}
	aud, err := p.Audience.claim(p.Name, in.Audience)
	if err != nil {
		return err
	}
	set := func(name, value string) {
		if value != "" {
			claims[name] = value
		}
	}
	set("iss", iss)
	set("sub", sub)
	if aud != nil {
		claims["aud"] = aud
	}
	if p.ClientIDClaim {
		set("client_id", in.ClientID)
	}
	return nil
}

func (p *Profile) setTimes(claims map[string]any, token Token) {
	issued := token.IssuedAt.Add(-p.BackDate).Unix()
	claims["iat"] = issued
	if p.NotBefore {
		claims["nbf"] = issued
	}
	if !p.NoExpiry {
		claims["exp"] = token.ExpiresAt.Unix()
	}
}

func sortedNames(claims map[string]any) []string {
	names := make([]string, 0, len(claims))
	for name := range claims {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
