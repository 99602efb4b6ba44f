package profile

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// FuzzBuild gives every profile arbitrary claims, audiences and lifetimes. What
// it builds must have the row's header, the input's iss and sub, and a lifetime
// within the row's cap.
func FuzzBuild(f *testing.F) {
	for i, p := range All() {
		f.Add(i, "scope", `"read"`, "", int64(60))
		f.Add(i, "iss", `"evil"`, "https://as.example.com", int64(3600))
		for _, rule := range p.Claims {
			f.Add(i, rule.Name, `["GET a/b"]`, "x", int64(1))
		}
	}
	f.Add(2, "I\u017fS", `{"a":[1]}`, "https://as.example.com/token?\x00", int64(-1))
	f.Fuzz(func(t *testing.T, index int, name, value, audience string, life int64) {
		p := All()[uint(index)%uint(len(All()))]
		in := exampleInput(t, p)
		var claim any
		if json.Unmarshal([]byte(value), &claim) != nil {
			claim = value
		}
		in.Claims[name] = claim
		if audience != "" {
			in.Audience = audience
		}
		in.Lifetime = time.Duration(life) * time.Second
		token, err := p.Build(in)
		if err != nil {
			var refused *ClaimError
			if !errors.As(err, &refused) && !errors.Is(err, ErrInput) {
				t.Fatalf("%s: unexpected kind of error: %v", p.Name, err)
			}
			return
		}
		checkToken(t, p, in, token)
		checkSubjects(t, p, in, token)
		checkNoLookalike(t, token)
	})
}

// checkSubjects compares iss and sub with those of a token without the claim.
func checkSubjects(t *testing.T, p *Profile, in Input, token Token) {
	t.Helper()
	plain := exampleResult(t, p)
	for _, name := range []string{"iss", "sub"} {
		if token.Claims[name] != plain.Claims[name] {
			t.Errorf("%s: %s is %v instead of %v with claims %v", p.Name, name, token.Claims[name], plain.Claims[name], in.Claims)
		}
	}
}

// checkNoLookalike fails if a decoder that ignores case would take a claim for
// a registered one.
func checkNoLookalike(t *testing.T, token Token) {
	t.Helper()
	for name := range token.Claims {
		if isReserved(name) && !slices.Contains(registered, name) {
			t.Errorf("claim %q is a variant of one of %v", name, registered)
		}
		var into struct{ Iss, Sub, Aud, Exp, Nbf, Iat, Jti any }
		text, _ := json.Marshal(map[string]any{name: "x"})
		if err := json.Unmarshal(text, &into); err != nil {
			t.Fatal(err)
		}
		if read := into != (struct{ Iss, Sub, Aud, Exp, Nbf, Iat, Jti any }{}); read && strings.ToLower(name) != name {
			t.Errorf("claim %q decodes as a registered one", name)
		}
	}
}
