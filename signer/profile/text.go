package profile

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/assertd/assertd/internal/terminal"
)

// WriteTable writes a table of all profiles in aligned columns. Wide is for one
// line per profile on a narrow terminal too.
func WriteTable(w io.Writer, wide bool) error {
	table := terminal.NewTable("PROFILE", "FAMILY", "ALGORITHMS", "AUDIENCE", "LIFETIME", "SENT AS", "KEY")
	table.Wide, table.Spare = wide, []string{"AUDIENCE", "KEY", "SENT AS"}
	for _, p := range All() {
		table.Row(p.Name, string(p.Family), p.algorithmSummary(), p.audienceSummary(), p.lifetimeSummary(), string(p.Send), string(p.Delivery))
	}
	return table.Write(w)
}

// WriteProfile writes everything about a profile, and a grant that uses it.
func (p *Profile) WriteProfile(w io.Writer) error {
	fmt.Fprintf(w, "%s: %s\n\n", p.Name, p.Title)
	var facts terminal.Facts
	for _, fact := range p.facts() {
		facts.Add(fact.label, fact.text)
	}
	if err := facts.Write(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(terminal.Data(w), "\n%s", p.exampleYAML())
	return err
}

// Document is a profile as JSON.
type Document struct {
	Name          string   `json:"name"`
	Title         string   `json:"title"`
	Family        string   `json:"family"`
	Source        string   `json:"source"`
	Algorithms    []string `json:"algorithms"`
	Audience      string   `json:"audience"`
	Lifetime      string   `json:"lifetime"`
	SendAs        string   `json:"send"`
	AssertionType string   `json:"assertion_type,omitempty"`
	Key           string   `json:"key"`
	Register      string   `json:"register,omitempty"`
	Notes         string   `json:"notes,omitempty"`
	Example       string   `json:"example"` // a grant, in YAML
}

// Document returns the profile as JSON.
func (p *Profile) Document() Document {
	return Document{
		Name: p.Name, Title: p.Title, Family: string(p.Family), Source: p.Source, Algorithms: p.Algorithms,
		Audience: p.audienceDetail(), Lifetime: p.lifetimeDetail(), SendAs: string(p.Send), AssertionType: p.AssertionType,
		Key: p.keySummary(), Register: p.Register, Notes: p.Notes, Example: p.exampleYAML(),
	}
}

// fact is one labeled line about a profile.
type fact struct{ label, text string }

// facts describes the whole row, in the order of an assertion. It leaves out
// empty lines.
func (p *Profile) facts() []fact {
	all := []fact{
		{"source", p.Source},
		{"algorithms", strings.Join(p.Algorithms, ", ")},
		{"header", p.headerSummary()},
		{"iss", p.Issuer.summary()},
		{"sub", p.Subject.summary()},
		{"aud", p.audienceDetail()},
		{"claims", p.claimSummary()},
		{"lifetime", p.lifetimeDetail()},
		{"timestamps", p.timeSummary()},
		{"jti", p.JTI.summary()},
		{"sent as", p.sendDetail()},
		{"key", p.keySummary()},
		{"register", p.Register},
		{"note", p.Notes},
	}
	return slices.DeleteFunc(all, func(f fact) bool { return f.text == "" })
}

// algorithmSummary abbreviates the list of algorithms.
func (p *Profile) algorithmSummary() string {
	switch len(p.Algorithms) {
	case len(allAlgorithms()):
		return "all"
	case len(classicAlgorithms()):
		return "all but ML-DSA"
	}
	return shorten(p.Algorithms)
}

// shorten joins algorithms of one family: ES256 ES384 ES512 becomes ES256-512.
func shorten(algorithms []string) string {
	text := " " + strings.Join(algorithms, " ") + " "
	for _, kind := range []string{"ES", "PS", "RS"} {
		text = strings.Replace(text, fmt.Sprintf(" %s256 %s384 %s512 ", kind, kind, kind), " "+kind+"256-512 ", 1)
	}
	return strings.TrimSpace(text)
}

func (p *Profile) audienceSummary() string {
	a := p.Audience
	switch {
	case a.Form == AudienceNone:
		return "none"
	case a.Form == AudienceArray:
		return "[" + a.defaultValue() + "]"
	}
	return a.Summary
}

func (p *Profile) audienceDetail() string {
	switch p.Audience.Form {
	case AudienceNone:
		return "none"
	case AudienceArray:
		return p.Audience.Description + ", as an array with one element"
	}
	return p.Audience.Description + ", as a string"
}

func (p *Profile) lifetimeSummary() string {
	if p.ExactLifetime {
		return "exactly " + humanDuration(p.MaxLifetime)
	}
	return humanDuration(p.DefaultLifetime) + ", max " + humanDuration(p.MaxLifetime)
}

func (p *Profile) lifetimeDetail() string {
	switch {
	case p.ExactLifetime:
		return "exactly " + humanDuration(p.MaxLifetime)
	case p.NoExpiry:
		return "no exp; use it within " + humanDuration(p.MaxLifetime)
	}
	return humanDuration(p.DefaultLifetime) + " by default, at most " + humanDuration(p.MaxLifetime)
}

// humanDuration uses the largest unit that is exact and takes few digits.
func humanDuration(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}} {
		if d%unit.length == 0 && d/unit.length < 1000 {
			return fmt.Sprintf("%d %s", d/unit.length, unit.name)
		}
	}
	return fmt.Sprintf("%d s", d/time.Second)
}

func (p *Profile) timeSummary() string {
	text := "iat"
	if p.BackDate > 0 {
		text += ", " + humanDuration(p.BackDate) + " in the past by default"
	}
	if p.MaxBackDate > 0 {
		text += ", at most " + humanDuration(p.MaxBackDate) + " in the past"
	}
	if p.NotBefore {
		text += "; nbf equal to iat"
	}
	return text
}

func (p *Profile) headerSummary() string {
	members := []string{"alg"}
	switch p.KeyID {
	case KeyIDFromReceiver:
		members = append(members, "kid (key_id, assigned by the receiver)")
	case KeyIDAny:
		members = append(members, "kid")
	}
	if p.Typ != "" {
		members = append(members, "typ "+p.Typ)
	}
	for _, m := range p.Header {
		members = append(members, string(m))
	}
	return strings.Join(members, ", ")
}

func (p *Profile) claimSummary() string {
	var parts []string
	if p.ClientIDClaim {
		parts = append(parts, "client_id (set)")
	}
	for _, rule := range p.Claims {
		part := rule.Name
		if rule.Required {
			part += " (required)"
		}
		parts = append(parts, part+": "+rule.Format)
	}
	switch {
	case p.OtherClaims && len(parts) > 0:
		parts = append(parts, "any other that the grant allows")
	case p.OtherClaims:
		parts = append(parts, "any that the grant allows")
	}
	return strings.Join(parts, "; ")
}

func (r SubjectRule) summary() string {
	text := string(r.From)
	switch r.From {
	case FromNothing:
		return "none"
	case FromLiteral:
		return r.Literal
	}
	if r.Optional {
		text += ", if set"
	}
	if r.Format != "" {
		text += ": " + r.Format
	}
	return text
}

func (r JTIRule) summary() string {
	switch r {
	case JTIRandom:
		return "128 random bits, base64url"
	case JTIUUID:
		return "random UUID"
	}
	return "none"
}

func (p *Profile) sendDetail() string {
	if urn := p.AssertionType; urn != "" {
		return string(p.Send) + " with " + urn
	}
	return string(p.Send)
}

func (p *Profile) keySummary() string {
	text := string(p.Delivery)
	if p.DedicatedKey {
		text += "; needs a key set of its own"
	}
	return text
}
