package policytest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// claimPrefix begins the names of facts about claims.
const claimPrefix = "claims."

// diff holds an outcome against what was expected of it.
func (e expect) diff(got outcome) []string {
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

// describe shows by what a request was allowed that should not have been.
func describe(facts []fact) []string {
	var lines []string
	for _, f := range facts {
		if f.text != "" {
			lines = append(lines, fmt.Sprintf("+   %s: %s", f.name, f.text))
		}
	}
	return lines
}

// diff compares what is expected with what is, fact by fact.
func (a *allow) diff(got []fact) []string {
	var lines []string
	expected := a.facts()
	for _, want := range expected {
		is, found := find(got, want.name)
		if found && is == want.text {
			continue
		}
		lines = append(lines, fmt.Sprintf("- %s: %s", want.name, want.text))
		if found {
			lines = append(lines, fmt.Sprintf("+ %s: %s", want.name, is))
		}
	}
	if a.Claims == nil {
		return lines
	}
	for _, is := range got {
		if _, found := find(expected, is.name); !found && strings.HasPrefix(is.name, claimPrefix) {
			lines = append(lines, fmt.Sprintf("+ %s: %s", is.name, is.text))
		}
	}
	return lines
}

// facts are what is expected; what is left out is not.
func (a *allow) facts() []fact {
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

// claimFact writes a claim's value as JSON, with the members of objects in
// order and numbers as they were written.
func claimFact(name string, value any) fact {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil { // values out of YAML are plain JSON
		return fact{claimPrefix + name, fmt.Sprint(value)}
	}
	return fact{claimPrefix + name, strings.TrimSpace(text.String())}
}
