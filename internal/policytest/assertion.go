package policytest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/assertd/assertd/signer/policy"
	"github.com/assertd/assertd/signer/profile"
)

// Assertion is what would be signed. Values that only the moment of signing
// gives (the time, jti, whatever follows from the key) are placeholders: text
// in angle brackets.
type Assertion struct {
	Header map[string]any // alg and kid, too
	Claims map[string]any
}

// kidPlaceholder stands for the kid where the grant has none of its own.
const kidPlaceholder = "<RFC 7638 thumbprint of the key that signs>"

// assertion builds what the profile makes of a grant, twice: with different
// keys, certificates and randomness. What differs can't be known before the
// signature is made.
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
	header := unite(one.Header, two.Header)
	maps.Copy(header, map[string]any{"alg": alg, "kid": kid})
	claims := unite(one.Claims, two.Claims)
	for _, name := range []string{"iat", "nbf", "exp"} {
		if at, ok := one.Claims[name].(int64); ok {
			claims[name] = timePlaceholder(time.Unix(at, 0).Sub(one.IssuedAt))
		}
	}
	return Assertion{Header: header, Claims: claims}, nil
}

// moment is any time: only the distances from it are shown.
var moment = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func build(p *profile.Profile, g policy.Grant, alg, kid string, seed byte) (profile.Token, error) {
	public, err := standInKey(alg, seed)
	if err != nil {
		return profile.Token{}, err
	}
	return p.Build(profile.Input{
		Alg: alg, Kid: kid, Public: public, Certificates: standInCertificates(public, moment, seed),
		ClientID: g.ClientID(), Issuer: g.Issuer(), Subject: g.Subject(),
		Audience: g.Audience(), Claims: g.Claims(), Lifetime: g.Lifetime(),
		Now: moment, Random: bytes.NewReader(bytes.Repeat([]byte{seed}, 64)),
	})
}

// unite keeps what two builds agree on.
func unite(one, two map[string]any) map[string]any {
	united := make(map[string]any, len(one))
	for name, value := range one {
		united[name] = agree(name, value, two[name])
	}
	return united
}

func agree(name string, one, two any) any {
	if sameJSON(one, two) {
		return one
	}
	if name == "jti" || name == "nonce" {
		return "<random>"
	}
	a, isText := one.(string)
	b, _ := two.(string)
	if !isText {
		return "<of the key that signs>"
	}
	return commonStem(a, b) + "<of the key that signs>"
}

// commonStem is what two texts share up to the last colon, so that no
// coincidence of two keys passes for a fact.
func commonStem(a, b string) string {
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

func timePlaceholder(distance time.Duration) string {
	switch seconds := int64(distance / time.Second); {
	case seconds == 0:
		return "<now>"
	case seconds < 0:
		return fmt.Sprintf("<now - %ds>", -seconds)
	default:
		return fmt.Sprintf("<now + %ds>", seconds)
	}
}
