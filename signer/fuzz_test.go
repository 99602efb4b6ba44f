package signer_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/signer"
	"github.com/assertd/assertd/signer/policy"
	"github.com/assertd/assertd/signer/profile"
)

// fixed is what a grant says of the result, written down a second time: nothing
// that a caller sends may change it.
type fixed struct {
	iss, sub any // nil: the claim must be absent
	aud      []any
	kid      string // empty: the key's
	header   map[string]any
	longest  int64
	noExpiry bool
	jti      int             // length; 0: absent
	allowed  map[string]bool // claims that may be there besides
	forced   map[string]any
	clientID any
	back     int64 // iat lies this far back
}

var fuzzedGrants = map[string]fixed{
	"bank": {
		iss: "9f3c0c", sub: "9f3c0c", aud: []any{"https://as.bank.example", "https://as2.bank.example"}, longest: 120, jti: 22,
		allowed: map[string]bool{"scope": true, "free": true, "Iss_": true, "kind": true, "kinds": true}, forced: map[string]any{"tier": "gold"},
	},
	"bearer": {
		iss: "issuer.example", sub: "subject", aud: []any{"https://as.bank.example/token"}, kid: "the receiver's", longest: 60, jti: 22,
		allowed: map[string]bool{"free": true},
	},
	"app": {
		iss: "app-id", longest: 480, back: 60, header: map[string]any{"typ": "JWT"},
	},
	"proof": {
		longest: 60, noExpiry: true, jti: 22, allowed: map[string]bool{"htm": true, "htu": true, "ath": true, "nonce": true},
		header: map[string]any{"typ": "dpop+jwt", "jwk": nil},
	},
}

func fuzzedPolicy(t testing.TB) *policy.Policy {
	t.Helper()
	uid := uint32(1000)
	anything := policy.ClaimRule{Any: true}
	p, err := policy.New([]policy.Client{{Name: "c", Match: policy.Match{UID: &uid}, Grants: []policy.Rule{
		{
			Name: "bank", Key: "payments", Profile: "private_key_jwt", ClientID: "9f3c0c",
			Audiences: []string{"https://as.bank.example", "https://as2.bank.example"}, DefaultLifetime: time.Minute, MaxLifetime: 2 * time.Minute,
			Allow: map[string]policy.ClaimRule{"scope": {Values: []any{"read", "write"}, Words: true}, "free": anything, "Iss_": anything,
				"kind": {Values: []any{"refund", "settlement"}}, "kinds": {EachOf: true, MaxItems: 1, Values: []any{"refund", "settlement"}}},
			Force: map[string]any{"tier": "gold"},
		},
		{
			Name: "bearer", Key: "payments", Profile: "jwt-bearer", Issuer: "issuer.example", Subject: "subject", KeyID: "the receiver's",
			Audiences: []string{"https://as.bank.example/token"}, DefaultLifetime: time.Minute, MaxLifetime: time.Minute,
			Allow: map[string]policy.ClaimRule{"free": anything},
		},
		{
			Name: "app", Key: "payments", Profile: "github-app", ClientID: "app-id", NoAudience: true,
			DefaultLifetime: time.Minute, MaxLifetime: 9 * time.Minute, BackDate: time.Minute,
		},
		{
			Name: "proof", Key: "payments", Profile: "dpop", NoAudience: true, DefaultLifetime: time.Minute, MaxLifetime: time.Minute,
			Allow: map[string]policy.ClaimRule{"htm": anything, "htu": anything, "ath": anything, "nonce": anything},
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// FuzzAssert sends whatever a caller could send through policy, profile and
// signer, and holds the assertion that comes out of it to the grant. RS256 is
// an algorithm that every one of the profiles takes.
func FuzzAssert(f *testing.F) {
	f.Add("", "", ``, int64(0))
	f.Add("bank", "https://as.bank.example", `{"scope":"read write","free":{"iss":"evil"}}`, int64(120))
	f.Add("bank", "https://as.bank.example", `{"kind":["refund","settlement"]}`, int64(60))
	f.Add("bank", "https://as.bank.example", `{"kinds":["refund","settlement"]}`, int64(60))
	f.Add("bank", "https://as.bank.example", `{"kind":"refund","kinds":["settlement"]}`, int64(60))
	f.Add("c/bank", "https://as2.bank.example", `{"tier":"gold"}`, int64(1))
	f.Add("bank", "https://as.bank.example", `{"iss":"evil","sub":"evil","aud":"evil","exp":9999999999,"jti":"x"}`, int64(60))
	f.Add("bank", "https://as.bank.example", `{"ISS":"evil","Sub":null,"i\u017fs":1,"Iss_":[]}`, int64(60))
	f.Add("bearer", "https://evil.example", `{"free":[[[1e400]]]}`, int64(61))
	f.Add("bearer", "", `{"free":"\u0000\ud800","client_id":"evil"}`, int64(-1))
	f.Add("app", "", ``, int64(540))
	f.Add("app", "https://as.bank.example", `{"kid":"evil","alg":"none"}`, int64(0))
	f.Add("proof", "", `{"htm":"POST","htu":"https://rs.example/a?b#c","nonce":"n"}`, int64(0))
	f.Add("proof", "", `{"htm":"POST","htu":"https://rs.example/","jwk":{"kty":"oct"},"exp":1}`, int64(60))
	s, p := newSigner(f, "RS256", func(o *signer.Options) { o.Policy = fuzzedPolicy(f) })
	issued := make(map[string]bool)
	f.Fuzz(func(t *testing.T, grant, audience, claims string, lifetime int64) {
		p.records = nil
		req := policy.Request{Grant: grant, Audience: audience, Claims: sentClaims(claims), Lifetime: time.Duration(lifetime%1_000_000) * time.Second}
		a, err := s.Assert(context.Background(), known, req)
		rec := p.record(t)
		if err != nil {
			refusedProperly(t, err, a, rec)
			return
		}
		want, ok := fuzzedGrants[a.Grant]
		if !ok || rec.Grant != a.Grant || rec.JTI != a.JTI || rec.Kid != a.Kid || rec.Outcome != audit.OutcomeAllowed {
			t.Fatalf("grant %q, recorded %+v", a.Grant, rec)
		}
		header, payload := verified(t, p, a)
		holdHeader(t, header, want, p.key.Kid)
		holdParties(t, payload, want)
		holdTimes(t, payload, want, req.Lifetime)
		holdRest(t, payload, want)
		holdKinds(t, payload)
		if id, _ := payload["jti"].(string); len(id) != want.jti || id != a.JTI || (id != "" && issued[id]) {
			t.Errorf("jti %q, in the answer %q", id, a.JTI)
		} else {
			issued[id] = true
		}
	})
}

// holdKinds checks the claims that have one value, and an array of one.
func holdKinds(t *testing.T, payload map[string]any) {
	t.Helper()
	kinds := []any{payload["kind"]}
	if array, there := payload["kinds"]; there {
		items, ok := array.([]any)
		if !ok || len(items) != 1 {
			t.Fatalf("kinds %v", array)
		}
		kinds = append(kinds, items...)
	}
	for _, kind := range kinds {
		if kind != nil && kind != "refund" && kind != "settlement" {
			t.Fatalf("kind %v", kind)
		}
	}
}

func sentClaims(text string) map[string]any {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var claims map[string]any
	if decoder.Decode(&claims) != nil {
		return nil
	}
	return claims
}

// refusedProperly wants a refusal that the caller can be told, and nothing
// else.
func refusedProperly(t *testing.T, err error, a ipc.AssertionResponse, rec audit.Record) {
	t.Helper()
	var refusal *policy.Refusal
	var claim *profile.ClaimError
	if !errors.As(err, &refusal) && !errors.As(err, &claim) {
		t.Errorf("a caller's request is the daemon's fault: %v", err)
	}
	if a != (ipc.AssertionResponse{}) || rec.Outcome == audit.OutcomeAllowed || rec.JTI != "" {
		t.Errorf("refused with %+v, recorded %+v", a, rec)
	}
}

// verified reads an assertion after its signature was checked by go-jose.
func verified(t *testing.T, p *parts, a ipc.AssertionResponse) (header, payload map[string]any) {
	t.Helper()
	jws, err := jose.ParseSignedCompact(a.Assertion, []jose.SignatureAlgorithm{"RS256"})
	if err != nil {
		t.Fatal(err)
	}
	content, err := jws.Verify(p.key.Public)
	if err != nil {
		t.Fatal(err)
	}
	first, err := base64.RawURLEncoding.DecodeString(strings.Split(a.Assertion, ".")[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(json.Unmarshal(first, &header), json.Unmarshal(content, &payload)); err != nil {
		t.Fatal(err)
	}
	return header, payload
}

func holdHeader(t *testing.T, header map[string]any, want fixed, kid string) {
	t.Helper()
	if want.kid != "" {
		kid = want.kid
	}
	if header["alg"] != "RS256" || header["kid"] != kid {
		t.Errorf("header %v", header)
	}
	for name, value := range header {
		fixed, known := want.header[name]
		if name != "alg" && name != "kid" && (!known || (fixed != nil && fixed != value)) {
			t.Errorf("header member %s is %v", name, value)
		}
	}
	if key, ok := header["jwk"].(map[string]any); ok && (key["kty"] != "RSA" || key["d"] != nil) {
		t.Errorf("jwk %v", slices.Sorted(maps.Keys(key)))
	}
}

func holdParties(t *testing.T, payload map[string]any, want fixed) {
	t.Helper()
	if payload["iss"] != want.iss || payload["sub"] != want.sub || payload["client_id"] != want.clientID {
		t.Errorf("iss %v, sub %v, client_id %v", payload["iss"], payload["sub"], payload["client_id"])
	}
	if aud, there := payload["aud"]; there != (want.aud != nil) || (there && !slices.Contains(want.aud, aud)) {
		t.Errorf("aud %v", aud)
	}
}

func holdTimes(t *testing.T, payload map[string]any, want fixed, asked time.Duration) {
	t.Helper()
	iat, _ := payload["iat"].(float64)
	if int64(iat) != epoch.Unix()-want.back {
		t.Errorf("iat %v", payload["iat"])
	}
	exp, there := payload["exp"].(float64)
	life := int64(exp) - epoch.Unix()
	if there == want.noExpiry || (there && (life < 1 || life > want.longest)) {
		t.Errorf("exp %v, %d s from now", payload["exp"], life)
	}
	if there && asked != 0 && life != min(int64(asked/time.Second), want.longest) {
		t.Errorf("%d s from now, asked for %v", life, asked)
	}
}

// holdRest looks for claims that nobody allowed, and for registered ones in a
// spelling that a lax receiver would accept.
func holdRest(t *testing.T, payload map[string]any, want fixed) {
	t.Helper()
	registered := []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}
	for name, value := range payload {
		if slices.Contains(registered, name) {
			continue
		}
		if slices.ContainsFunc(registered, func(r string) bool { return strings.EqualFold(r, name) }) {
			t.Errorf("claim %q", name)
		}
		if forced, ok := want.forced[name]; ok {
			if value != forced {
				t.Errorf("claim %s is %v, forced to %v", name, value, forced)
			}
			continue
		}
		if !want.allowed[name] {
			t.Errorf("claim %q", name)
		}
	}
	for name := range want.forced {
		if _, ok := payload[name]; !ok {
			t.Errorf("claim %s is missing", name)
		}
	}
}
