package policy

import (
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/ipc/caller"
)

// fuzzed makes a policy with a grant of every kind and clients that overlap.
func fuzzed(t testing.TB) *Policy {
	claims := with(bank(), func(r *Rule) {
		r.Name = "claims"
		r.Audiences = []string{"https://a.example", "https://b.example"}
		r.Allow = map[string]ClaimRule{
			"scope": {Words: true, Values: []any{"read", "write"}},
			"n":     {Values: []any{1, 0.5, nil, true, "x", map[string]any{"a": []any{1}}}},
			"free":  {Any: true},
			"kind":  {Values: []any{"refund", "settlement"}},
			"kinds": {EachOf: true, MaxItems: 2, Values: []any{"refund", "settlement", "payout"}},
		}
		r.Force = map[string]any{"tier": 1, "tags": []any{"a", map[string]any{"b": 2}}}
		r.Require = []string{"scope"}
	})
	return mustNew(t,
		Client{Name: "mine", Match: Match{UID: id(1000)}, Grants: []Rule{
			bank(), claims, with(bank(), func(r *Rule) { r.Name, r.Audiences, r.NoAudience = "app", nil, true }),
			raw("tls", "mtls", []string{"SHA-256"}, nil),
		}},
		Client{Name: "unit", Match: Match{UID: id(1001), Unit: "a.service"}, Grants: []Rule{claims}},
		Client{Name: "group", Match: Match{GID: id(50)}, Grants: []Rule{bank()}},
	)
}

// FuzzDecide checks every decision against the rule, whatever the caller sends.
func FuzzDecide(f *testing.F) {
	f.Add(uint32(1000), uint32(1), "", "", "", "", `{}`, int64(0))
	f.Add(uint32(1000), uint32(1), "", "", "bank", "https://as.bank.example", ``, int64(60_000_000_000))
	f.Add(uint32(1000), uint32(50), "", "", "mine/claims", "https://a.example", `{"scope":"read write","n":1.0,"tier":1}`, int64(1_000_000_000))
	f.Add(uint32(1001), uint32(1), "a.service", "unit", "", "https://b.example", `{"scope":"read","free":{"x":[1e5]},"tags":["a",{"b":2.0}]}`, int64(-1))
	f.Add(uint32(1000), uint32(1), "", "", "app", "", `{"iss":"x"}`, int64(500))
	f.Add(uint32(1000), uint32(1), "", "mine", "claims", "https://a.example", `{"scope":"read","free":[[[[[[[[[0]]]]]]]]]}`, int64(0))
	f.Add(uint32(1000), uint32(1), "", "", "claims", "https://a.example", `{"scope":"read","kind":["refund","settlement"],"kinds":["refund","payout"]}`, int64(0))
	f.Add(uint32(1000), uint32(1), "", "", "claims", "https://a.example", `{"scope":"read","kind":"refund","kinds":["refund","settlement","payout"]}`, int64(0))
	f.Add(uint32(1000), uint32(1), "", "", "claims", "https://a.example", `{"scope":["read"],"kinds":"refund"}`, int64(0))
	f.Add(uint32(1000), uint32(1), "", "group", "tls", "", `{"Aud":null,"scope":"read  write"}`, int64(0))
	p := fuzzed(f)
	f.Fuzz(func(t *testing.T, uid, gid uint32, unit, bound, grant, audience, claims string, lifetime int64) {
		caller := caller.Caller{UID: uid, GID: gid, Unit: unit, Client: bound}
		req := Request{Grant: grant, Audience: audience, Claims: decodeClaims(claims), Lifetime: time.Duration(lifetime)}
		g, err := p.Decide(caller, req)
		checkAgreement(t, p, caller, req)
		if err != nil {
			checkLeaksNothing(t, err, grant+audience+claims)
			return
		}
		v, ok := visible(p, caller, g)
		if !ok {
			t.Fatalf("granted %s/%s, which is not visible to the caller", g.Client(), g.Name())
		}
		checkAgainstRule(t, g, v.Rule, req)
		checkScope(t, g.Claims()["scope"])
		checkKinds(t, g.Claims()["kind"], g.Claims()["kinds"])
	})
}

func decodeClaims(text string) map[string]any {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var claims map[string]any
	if decoder.Decode(&claims) != nil {
		return map[string]any{"free": text}
	}
	return claims
}

func visible(p *Policy, caller caller.Caller, g Grant) (VisibleGrant, bool) {
	all := p.Visible(caller)
	i := slices.IndexFunc(all, func(v VisibleGrant) bool { return v.Client == g.Client() && v.Rule.Name == g.Name() })
	if i < 0 {
		return VisibleGrant{}, false
	}
	return all[i], true
}

// checkAgainstRule checks a grant against the rule as configured, without using
// any of the code that made the grant.
func checkAgainstRule(t *testing.T, g Grant, r Rule, req Request) {
	t.Helper()
	if r.Raw != nil {
		t.Fatal("a grant for raw signatures allowed an assertion")
	}
	if g.Key() != r.Key || g.Profile() != r.Profile || g.ClientID() != r.ClientID ||
		g.Issuer() != r.Issuer || g.Subject() != r.Subject || g.KeyID() != r.KeyID {
		t.Fatal("the caller changed what the rule says")
	}
	if inList := slices.Contains(r.Audiences, g.Audience()); inList == r.NoAudience || r.NoAudience && g.Audience() != "" {
		t.Fatalf("audience %q of %q", g.Audience(), r.Audiences)
	}
	if req.Audience != "" && req.Audience != g.Audience() {
		t.Fatalf("audience %q, asked for %q", g.Audience(), req.Audience)
	}
	if g.Lifetime() < time.Second || g.Lifetime() > r.MaxLifetime || g.Lifetime()%time.Second != 0 || req.Lifetime != 0 && g.Lifetime() != req.Lifetime {
		t.Fatalf("lifetime %v of at most %v, asked for %v", g.Lifetime(), r.MaxLifetime, req.Lifetime)
	}
	checkClaimsAgainstRule(t, g.Claims(), r, req)
}

func checkClaimsAgainstRule(t *testing.T, claims map[string]any, r Rule, req Request) {
	t.Helper()
	for name, value := range claims {
		for _, reserved := range []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"} {
			if strings.EqualFold(name, reserved) {
				t.Fatalf("claim %q", name)
			}
		}
		if forced, ok := r.Force[name]; ok {
			if formatValue(value) != formatValue(forced) {
				t.Fatalf("claim %q is %v, forced to %v", name, value, forced)
			}
			continue
		}
		if _, ok := r.Allow[name]; !ok {
			t.Fatalf("claim %q is not allowed", name)
		}
		if formatValue(value) != formatValue(req.Claims[name]) {
			t.Fatalf("claim %q is %v, sent as %v", name, value, req.Claims[name])
		}
	}
	for name := range r.Force {
		if _, ok := claims[name]; !ok {
			t.Fatalf("forced claim %q is missing", name)
		}
	}
	for name := range req.Claims {
		if _, ok := claims[name]; !ok {
			t.Fatalf("claim %q was dropped silently", name)
		}
	}
	for _, name := range r.Require {
		if claims[name] == nil {
			t.Fatalf("claim %q is missing", name)
		}
	}
}

func checkScope(t *testing.T, scope any) {
	t.Helper()
	if scope == nil {
		return
	}
	text, ok := scope.(string)
	if !ok {
		t.Fatalf("scope %v is not a text", scope)
	}
	for word := range strings.SplitSeq(text, " ") {
		if word != "read" && word != "write" {
			t.Fatalf("scope %v", scope)
		}
	}
}

// checkKinds checks that a claim for one value has one, and that one for an
// array has an array within its limits.
func checkKinds(t *testing.T, kind, kinds any) {
	t.Helper()
	if kind != nil && kind != "refund" && kind != "settlement" {
		t.Fatalf("kind %v", kind)
	}
	if kinds == nil {
		return
	}
	array, ok := kinds.([]any)
	if !ok || len(array) < 1 || len(array) > 2 || len(array) == 2 && array[0] == array[1] {
		t.Fatalf("kinds %v", kinds)
	}
	for _, kind := range array {
		if kind != "refund" && kind != "settlement" && kind != "payout" {
			t.Fatalf("kinds %v", kinds)
		}
	}
}

// FuzzNumber checks the comparison of numbers against big.Rat, and their syntax
// against encoding/json.
func FuzzNumber(f *testing.F) {
	for _, pair := range [][2]string{
		{"1", "1.0"}, {"-0", "0"}, {"1e2", "100"}, {"10e-1", "1"}, {"0.10", "1e-1"}, {"01", "1"}, {"1.", ".1"}, {"1e", "+1"}, {"--1", "1e+-1"}, {"1e999999999999", "0e1"},
	} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a)+len(b) > 200 {
			return
		}
		x, xOK := parseNumber(a)
		y, yOK := parseNumber(b)
		if xOK && !isJSONNumber(a) {
			t.Fatalf("%q is not a JSON number", a)
		}
		if !xOK && isJSONNumber(a) && small(a) {
			t.Fatalf("%q is a JSON number", a)
		}
		if !xOK || !yOK || !small(a) || !small(b) {
			return
		}
		p, _ := new(big.Rat).SetString(a)
		q, _ := new(big.Rat).SetString(b)
		if (x == y) != (p.Cmp(q) == 0) {
			t.Fatalf("%q = %+v, %q = %+v", a, x, b, y)
		}
	})
}

func isJSONNumber(s string) bool {
	var n json.Number
	return json.Unmarshal([]byte(s), &n) == nil && string(n) == s && s != ""
}

// small reports whether a big.Rat can represent s in little memory.
func small(s string) bool {
	_, power, ok := cutExponent(s)
	return !ok || len(power) < 4
}

// FuzzNew makes policies out of whatever a configuration may contain. A policy
// that New accepts must be able to decide.
func FuzzNew(f *testing.F) {
	f.Add("c", "g", "https://a.example", "scope", `["read"]`, "/usr/bin/x", int64(60), int64(120), true)
	f.Add("", "a/b", "", "iss", `[[],{}]`, "x", int64(0), int64(-1), false)
	f.Add("c", "g", "a\n", "ISS", `[1e400]`, "/x/", int64(1), int64(1), true)
	f.Fuzz(func(t *testing.T, name, grant, audience, claim, values, executable string, standard, longest int64, words bool) {
		var list []any
		decoder := json.NewDecoder(strings.NewReader(values))
		decoder.UseNumber()
		if decoder.Decode(&list) != nil {
			list = []any{values}
		}
		p, err := New([]Client{{Name: name, Match: Match{Executable: executable}, Grants: []Rule{{
			Name: grant, Key: "k", Profile: "p", Audiences: []string{audience},
			DefaultLifetime: time.Duration(standard) * time.Second, MaxLifetime: time.Duration(longest) * time.Second,
			Allow: map[string]ClaimRule{claim: {Values: list, Words: words}},
		}}}})
		if err != nil {
			var invalid *InvalidError
			if !errors.As(err, &invalid) || len(invalid.Problems) == 0 || p != nil {
				t.Fatalf("error: %v", err)
			}
			return
		}
		for _, value := range list {
			// Every listed value is allowed, so no grant that New accepts is
			// useless.
			g, err := p.Decide(caller.Caller{Executable: executable}, Request{Grant: grant, Audience: audience, Claims: map[string]any{claim: value}})
			if err != nil {
				t.Fatalf("the listed value %v is refused: %v", value, err)
			}
			checkAgainstRule(t, g, p.Visible(caller.Caller{Executable: executable})[0].Rule, Request{Claims: map[string]any{claim: value}})
		}
	})
}
