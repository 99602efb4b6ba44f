package policytest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// claimPrefix starts the names of facts about claims.
const claimPrefix = "claims."

// diff compares an outcome with the expectation.
func (e expectation) diff(got outcome) []string {
	switch {
	case e.Refuse != "" && got.refused == e.Refuse:
		return nil
	case e.Refuse != "":
		return append([]string{"- refuse: " + e.Refuse, "+ " + got.String()}, describe(got.facts)...)
	case got.refused != "":
		return []string{"- allow", "+ " + got.String()}
	}
	return e.Allow.diff(got.facts)
}

// describe shows what allowed a request that should have been refused.
func describe(facts []fact) []string {
	var lines []string
	for _, f := range facts {
		if f.text != "" {
			lines = append(lines, fmt.Sprintf("+   %s: %s", f.name, f.text))
		}
	}
	return lines
}

// diff compares the expected facts with the real ones.
func (a *allowed) diff(got []fact) []string {
	var lines []string
	expected := a.facts()
	for _, want := range expected {
		have, found := find(got, want.name)
		if found && have == want.text {
			continue
		}
		lines = append(lines, fmt.Sprintf("- %s: %s", want.name, want.text))
		if found {
			lines = append(lines, fmt.Sprintf("+ %s: %s", want.name, have))
		}
	}
	if a.Claims == nil {
		return lines
	}
	for _, f := range got {
		if _, found := find(expected, f.name); !found && strings.HasPrefix(f.name, claimPrefix) {
			lines = append(lines, fmt.Sprintf("+ %s: %s", f.name, f.text))
		}
	}
	return lines
}

// facts returns everything that the case expects.
func (a *allowed) facts() []fact {
	all := []fact{
		{"client", a.Client}, {"grant", a.Grant}, {"key", a.Key}, {"profile", a.Profile},
		{"issuer", a.Issuer}, {"subject", a.Subject}, {"audience", a.Audience},
		{"hash", a.Hash}, {"padding", a.Padding},
	}
	if a.Lifetime != 0 {
		all = append(all, fact{"lifetime", a.Lifetime.String()})
	}
	given := slices.DeleteFunc(all, func(f fact) bool { return f.text == "" })
	var claims []fact
	for name, value := range a.Claims {
		claims = append(claims, claimFact(name, value))
	}
	return append(given, sorted(claims)...)
}

func find(facts []fact, name string) (text string, found bool) {
	i := slices.IndexFunc(facts, func(f fact) bool { return f.name == name })
	if i < 0 {
		return "", false
	}
	return facts[i].text, true
}

func sorted(facts []fact) []fact {
	slices.SortFunc(facts, func(a, b fact) int { return strings.Compare(a.name, b.name) })
	return facts
}

// claimFact writes a claim's value as JSON, with the members of objects sorted
// and numbers as written.
func claimFact(name string, value any) fact {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil { // can't happen: values from YAML are plain JSON
		return fact{claimPrefix + name, fmt.Sprint(value)}
	}
	return fact{claimPrefix + name, strings.TrimSpace(text.String())}
}
