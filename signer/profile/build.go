package profile

import (
	"cmp"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// ErrInput means that the daemon, not its caller, gave Build a wrong Input.
var ErrInput = errors.New("assertion cannot be built")

// Input is everything that goes into an assertion. All of it except Claims
// comes from the grant, the key version and the daemon.
type Input struct {
	// Alg and Kid are those of the key version that will sign.
	Alg, Kid string
	// ClientID, Issuer, Subject and Audience are the grant's.
	ClientID, Issuer, Subject, Audience string
	// Claims are the caller's, merged with those that the grant sets.
	Claims map[string]any
	// Now is the daemon's time, which iat truncates to the second.
	Now time.Time
	// Lifetime is truncated to whole seconds; zero means the profile's default.
	// MaxLifetime is the grant's limit; zero means the profile's.
	Lifetime, MaxLifetime time.Duration
	// BackDate and NotBefore are the grant's: see [Profile.Complete].
	BackDate  time.Duration
	NotBefore bool
	// Random is the source of the jti; crypto/rand.Reader outside tests.
	Random io.Reader
	// Public is the key version's public key.
	Public crypto.PublicKey
	// Certificates is the key's chain, leaf first. Only profiles whose header
	// refers to a certificate use it.
	Certificates []*x509.Certificate
}

// Token is an assertion without its signature.
type Token struct {
	// Header has every parameter but alg and kid. The signer sets those from
	// the key version that it signs with.
	Header map[string]any
	Claims map[string]any
	// JTI is empty if the profile has no jti.
	JTI string
	// IssuedAt is the current second; iat is earlier if it is back-dated.
	IssuedAt, ExpiresAt time.Time
}

// Build makes the header and the claims. The caller can fix a [*ClaimError].
// Any other error is the daemon's fault: it unwraps to [ErrInput] or comes from
// in.Random.
func (p *Profile) Build(in Input) (Token, error) {
	lifetime, err := p.checkInput(in)
	if err != nil {
		return Token{}, err
	}
	claims, err := p.callerClaims(in.Claims)
	if err != nil {
		return Token{}, err
	}
	if err := p.setSubjects(claims, in); err != nil {
		return Token{}, err
	}
	token := Token{Claims: claims, IssuedAt: in.Now.Truncate(time.Second)}
	token.ExpiresAt = token.IssuedAt.Add(p.limit(lifetime, in))
	p.setTimes(claims, token, in)
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
		return refuse("algorithm %q is not one of %s", in.Alg, strings.Join(p.Algorithms, ", "))
	case in.Now.Unix() <= 0:
		return refuse("the current time is not set")
	case in.Random == nil:
		return refuse("no source of randomness")
	case lifetime < time.Second || lifetime > p.MaxLifetime:
		return refuse("a lifetime of %s is not between 1s and %s", in.Lifetime, seconds(p.MaxLifetime))
	case in.BackDate < 0 || in.BackDate%time.Second != 0 || p.limit(lifetime, in) < time.Second:
		return refuse("iat can't be %s in the past", in.BackDate)
	case p.ExactLifetime && lifetime != p.MaxLifetime:
		return refuse("a lifetime of %s is not exactly %s", in.Lifetime, seconds(p.MaxLifetime))
	}
	return lifetime, nil
}

// callerClaims copies the claims and checks every name again. The policy has
// done so before, but a signature must not depend on a single check.
func (p *Profile) callerClaims(given map[string]any) (map[string]any, error) {
	claims := make(map[string]any, len(given)+8)
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if refused := p.nameProblem(name); refused != nil {
			return nil, refused
		}
		value, err := p.normalizeClaim(name, given[name])
		if err != nil {
			return nil, err
		}
		claims[name] = value
	}
	for _, rule := range p.Claims {
		if _, there := claims[rule.Name]; rule.Required && !there {
			return nil, &ClaimError{
				Profile: p.Name, Claim: rule.Name, Kind: ErrClaimRequired,
				Rule: fmt.Sprintf("requires claim %q", rule.Name), Advice: "Send " + cmp.Or(rule.Format, "any value"),
			}
		}
	}
	return claims, nil
}

// setSubjects sets iss, sub, aud and client_id.
func (p *Profile) setSubjects(claims map[string]any, in Input) error {
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

// limit shortens a lifetime so that exp - iat stays within the limits of the
// grant and the profile even if iat is in the past.
func (p *Profile) limit(lifetime time.Duration, in Input) time.Duration {
	most := p.MaxLifetime
	if in.MaxLifetime != 0 {
		most = min(most, in.MaxLifetime)
	}
	return min(lifetime, most-in.BackDate)
}

func (p *Profile) setTimes(claims map[string]any, token Token, in Input) {
	issued := token.IssuedAt.Add(-in.BackDate).Unix()
	claims["iat"] = issued
	if in.NotBefore {
		claims["nbf"] = issued
	}
	if !p.NoExpiry {
		claims["exp"] = token.ExpiresAt.Unix()
	}
}

// JTIRule says how jti is made.
type JTIRule string

// The forms of jti. Each that is made has at least 122 random bits.
const (
	// JTIRandom is 128 random bits in base64url: 22 characters.
	JTIRandom JTIRule = "random"
	// JTIUUID is a random UUID (RFC 9562 section 5.4).
	JTIUUID JTIRule = "uuid"
	// JTINone leaves jti out, for receivers that do not use it.
	JTINone JTIRule = "none"
)

func (r JTIRule) make(random io.Reader) (string, error) {
	if r == JTINone {
		return "", nil
	}
	id, err := randomID(random)
	if err != nil {
		return "", fmt.Errorf("read random bytes for the jti: %w", err)
	}
	if r == JTIRandom {
		return base64.RawURLEncoding.EncodeToString(id[:]), nil
	}
	id[6] = id[6]&0x0f | 0x40 // version 4
	id[8] = id[8]&0x3f | 0x80 // the RFC 9562 variant
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:]), nil
}

// randomID reads 128 random bits.
func randomID(random io.Reader) (id [16]byte, err error) {
	_, err = io.ReadFull(random, id[:])
	return id, err
}
