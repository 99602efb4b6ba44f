package profile

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// FuzzBuild throws any claim, audience and life at every profile. Whatever is
// built keeps the row's header, the input's parties and the row's cap.
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
				t.Fatalf("%s: an error of no kind: %v", p.Name, err)
			}
			return
		}
		checkToken(t, p, in, token)
		checkSubjects(t, p, in, token)
		checkNoTwin(t, token)
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

// checkNoTwin: no name reads like a registered one to a decoder that ignores
// case.
func checkNoTwin(t *testing.T, token Token) {
	t.Helper()
	for name := range token.Claims {
		if isReserved(name) && !slices.Contains(registered, name) {
			t.Errorf("claim %q beside %v", name, registered)
		}
		var into struct{ Iss, Sub, Aud, Exp, Nbf, Iat, Jti any }
		text, _ := json.Marshal(map[string]any{name: "x"})
		if err := json.Unmarshal(text, &into); err != nil {
			t.Fatal(err)
		}
		if read := into != (struct{ Iss, Sub, Aud, Exp, Nbf, Iat, Jti any }{}); read && strings.ToLower(name) != name {
			t.Errorf("claim %q reads as a registered one", name)
		}
	}
}
