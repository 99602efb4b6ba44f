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

// Text formats the trace for a terminal, in aligned columns: each
// client's selectors and grants, and each grant's checks. Without all, it
// leaves out clients that don't match the caller, except the nearest if none
// does.
func (t Trace) Text(all bool) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "request")
	writeChecks(w, "  ", t.Syntax)
	shown := t.Clients
	if !all {
		shown = t.relevant()
	}
	for _, c := range shown {
		c.write(w)
	}
	w.Flush() // writes to a strings.Builder never fail
	if left := len(t.Clients) - len(shown); left > 0 {
		if left == 1 {
			text.WriteString("1 other client does not match the caller; --all shows it\n")
		} else {
			fmt.Fprintf(&text, "%d other clients do not match the caller; --all shows them\n", left)
		}
	}
	return text.String()
}

// relevant returns the clients that match, or else the one of which the fewest
// selectors fail.
func (t *Trace) relevant() (clients []ClientTrace) {
	nearest, least := -1, 0
	for i, c := range t.Clients {
		if c.Matched {
			clients = append(clients, c)
		}
		failed := 0
		for _, check := range c.Selectors {
			if !check.Held {
				failed++
			}
		}
		if nearest < 0 || failed < least {
			nearest, least = i, failed
		}
	}
	if clients == nil && nearest >= 0 {
		clients = t.Clients[nearest : nearest+1]
	}
	return clients
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
	case g.Other && g.Raw:
		return "for raw signatures only"
	case g.Other && g.Kubernetes:
		return "for Kubernetes tokens only"
	case g.Other:
		return "for assertions only"
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

// Outcome says what happens to the request: the verdict, and below it the
// details.
func (e *Explanation) Outcome() string {
	if e.Refusal != nil {
		return e.Refusal.outcome()
	}
	g := e.Grant
	return fmt.Sprintf("allowed: grant %s of client %s\n  key set %s, profile %s, audience %s, lifetime %v, claims %s\n",
		g.Name(), g.Client(), g.Key(), g.Profile(), formatAudience(g.Audience()), g.Lifetime(), formatValue(g.Claims()))
}

func (r *Refusal) outcome() string {
	return fmt.Sprintf("refused: %s\n  %s\n", r.Code, r.Detail)
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
