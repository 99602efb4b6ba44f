package policytest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/assertd/assertd/signer/policy"
	"github.com/assertd/assertd/signer/profile"
)

// Assertion is what would be signed. Values that are only known at signing time
// (the time, jti, anything derived from the key) are placeholders in angle
// brackets.
type Assertion struct {
	Header map[string]any // with alg and kid
	Claims map[string]any
}

// kidPlaceholder stands for the kid where a grant sets none.
const kidPlaceholder = "<RFC 7638 thumbprint of the signing key>"

// assertion builds the grant's assertion twice, with different keys,
// certificates and randomness. Values that differ are only known at signing
// time.
func (s *Simulator) assertion(g policy.Grant) (Assertion, error) {
	p, ok := profile.Lookup(g.Profile())
	if !ok {
		return Assertion{}, fmt.Errorf("unknown profile %q", g.Profile())
	}
	alg := string(s.config.Keys[g.Key()].Alg)
	kid := cmp.Or(g.KeyID(), kidPlaceholder)
	one, err := build(p, g, alg, kid, 1)
	if err != nil {
		return Assertion{}, err
	}
	two, err := build(p, g, alg, kid, 2)
	if err != nil {
		return Assertion{}, err
	}
	header := merge(one.Header, two.Header)
	header["alg"] = alg
	if kid := p.HeaderKid(kid); kid != "" {
		header["kid"] = kid
	}
	claims := merge(one.Claims, two.Claims)
	for _, name := range []string{"iat", "nbf", "exp"} {
		if at, ok := one.Claims[name].(int64); ok {
			claims[name] = timePlaceholder(time.Unix(at, 0).Sub(one.IssuedAt))
		}
	}
	return Assertion{Header: header, Claims: claims}, nil
}

// signingTime can be any time: only offsets from it are shown.
var signingTime = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func build(p *profile.Profile, g policy.Grant, alg, kid string, seed byte) (profile.Token, error) {
	public, err := standInKey(alg, seed)
	if err != nil {
		return profile.Token{}, err
	}
	return p.Build(profile.Input{
		Alg: alg, Kid: kid, Public: public, Certificates: standInCertificates(public, signingTime, seed),
		ClientID: g.ClientID(), Issuer: g.Issuer(), Subject: g.Subject(),
		Audience: g.Audience(), Claims: g.Claims(), Lifetime: g.Lifetime(),
		MaxLifetime: g.MaxLifetime(), BackDate: g.BackDate(), NotBefore: g.NotBefore(),
		Now: signingTime, Random: bytes.NewReader(bytes.Repeat([]byte{seed}, 64)),
	})
}

// merge keeps the values that two builds have in common, and replaces the
// others with placeholders.
func merge(one, two map[string]any) map[string]any {
	merged := make(map[string]any, len(one))
	for name, value := range one {
		merged[name] = mergeValue(name, value, two[name])
	}
	return merged
}

func mergeValue(name string, one, two any) any {
	if sameJSON(one, two) {
		return one
	}
	if name == "jti" || name == "nonce" {
		return "<random>"
	}
	a, isText := one.(string)
	b, _ := two.(string)
	if !isText {
		return "<from the signing key>"
	}
	return commonPrefix(a, b) + "<from the signing key>"
}

// commonPrefix returns what two texts share up to the last colon, so that two
// keys which happen to start alike don't count as known.
func commonPrefix(a, b string) string {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return a[:strings.LastIndexByte(a[:n], ':')+1]
}

func sameJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func timePlaceholder(offset time.Duration) string {
	switch seconds := int64(offset / time.Second); {
	case seconds == 0:
		return "<now>"
	case seconds < 0:
		return fmt.Sprintf("<now - %ds>", -seconds)
	default:
		return fmt.Sprintf("<now + %ds>", seconds)
	}
}
