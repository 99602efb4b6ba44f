package policy

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// Text formats the explanation for a terminal, in aligned columns: each
// client's selectors and grants, each grant's checks, and the outcome at the
// end.
func (e Explanation) Text() string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "request")
	writeChecks(w, "  ", e.Syntax)
	for _, c := range e.Clients {
		c.write(w)
	}
	w.Flush() // writes to a strings.Builder never fail
	text.WriteString(e.outcome())
	return text.String()
}

func (c *ClientTrace) write(w io.Writer) {
	verdict := "matches the caller"
	if !c.Matched {
		verdict = "does not match the caller"
	}
	fmt.Fprintf(w, "client %s: %s\n", c.Name, verdict)
	writeChecks(w, "  ", c.Selectors)
	for i := range c.Grants {
		g := &c.Grants[i]
		fmt.Fprintf(w, "  grant %s: %s\n", g.Name, g.verdict(c.Matched))
		writeChecks(w, "    ", g.Checks)
	}
}

func (g *GrantTrace) verdict(matched bool) string {
	switch {
	case g.Raw:
		return "for raw signatures only"
	case g.Kubernetes:
		return "for Kubernetes tokens only"
	case !matched:
		return "not available to the caller"
	case !g.Named:
		return "not the grant named in the request"
	case g.Fits:
		return "allows the request"
	}
	return "refuses the request"
}

func writeChecks(w io.Writer, indent string, checks []Check) {
	for _, check := range checks {
		mark := "yes"
		if !check.Held {
			mark = "NO"
		}
		fmt.Fprintf(w, "%s%s\t%s\twant %s\thave %s\n", indent, mark, check.Name, oneLine(check.Want), oneLine(check.Have))
	}
}

func (e *Explanation) outcome() string {
	if e.Refusal != nil {
		return fmt.Sprintf("refused: %s\n  %s\n", e.Refusal.Code, e.Refusal.Detail)
	}
	g := e.Grant
	return fmt.Sprintf("allowed: grant %s of client %s\n  key set %s, profile %s, audience %s, lifetime %v, claims %s\n",
		g.Name(), g.Client(), g.Key(), g.Profile(), formatAudience(g.Audience()), g.Lifetime(), formatValue(g.Claims()))
}

// oneLine keeps the columns readable, whatever the text contains.
func oneLine(text string) string {
	const widest = 160
	switch {
	case text == "":
		return "none"
	case strings.ContainsFunc(text, unicode.IsControl):
		text = strconv.Quote(text)
	}
	if len(text) > widest {
		return strings.ToValidUTF8(text[:widest], "") + "…"
	}
	return text
}

func formatAudience(audience string) string {
	if audience == "" {
		return "none"
	}
	return strconv.Quote(audience)
}

func formatLifetime(lifetime time.Duration) string {
	if lifetime == 0 {
		return "none"
	}
	return lifetime.String()
}
