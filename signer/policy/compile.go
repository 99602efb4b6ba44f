package policy

import (
	"encoding/hex"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/assertd/assertd/internal/rate"
)

// rule is a Rule that New has checked and copied, with lookup tables for its
// claims.
type rule struct {
	Rule
	allow map[string]allowedValues
}

const maxName = 128 // bytes in the name of a client or a grant

func compile(given *Client, position int, report reporter) *client {
	c := &client{name: given.Name, keys: given.Match.keys(), inFlight: given.InFlight, position: position}
	checkName(c.name, report)
	checkMatch(&given.Match, report)
	if c.inFlight == 0 {
		c.inFlight = DefaultInFlight
	}
	if c.inFlight < 0 {
		report.problem("in_flight", "%d is not a valid cap; use at least 1, or leave it out for the default of %d",
			c.inFlight, DefaultInFlight)
	}
	c.compileRules(given.Grants, report)
	return c
}

func (c *client) compileRules(grants []Rule, report reporter) {
	names := make(map[string]bool, len(grants))
	for i := range grants {
		report := report.forGrant(i, grants[i].Name)
		r := compileRule(grants[i], report)
		if names[r.Name] {
			report.problem("name", "another grant of this client has the same name; rename one of them")
		}
		names[r.Name] = true
		c.rules = append(c.rules, r)
	}
}

// checkName keeps names fit for logs, and free of the slash that separates the
// client from the grant in a qualified name.
func checkName(name string, report reporter) {
	unfit := func(r rune) bool { return r == '/' || unicode.IsSpace(r) || !unicode.IsPrint(r) }
	if name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.ContainsFunc(name, unfit) {
		report.problem("name", "invalid name; use 1 to %d bytes without spaces, slashes or control characters", maxName)
	}
}

func checkMatch(m *Match, report reporter) {
	if len(m.keys()) == 0 {
		report.problem("match", "no selectors, so no caller would match; "+
			"add at least one, such as uid or unit, or bind a listener to the client")
	}
	if m.Executable != "" && (!path.IsAbs(m.Executable) || path.Clean(m.Executable) != m.Executable) {
		report.problem("match.executable", "%q is not an absolute, clean path; write the path as the kernel reports it",
			m.Executable)
	}
	if sum, err := hex.DecodeString(m.ExecutableSHA256); err != nil || len(sum) != 0 && len(sum) != 32 {
		report.problem("match.executable_sha256", "%q is not a SHA-256 hash; write 64 hex digits", m.ExecutableSHA256)
	}
	if m.Unit != "" && (!strings.Contains(m.Unit, ".") || strings.Contains(m.Unit, "/")) {
		report.problem("match.unit", "%q is not a full unit name; include the suffix, as in %q", m.Unit, "payments.service")
	}
}

func compileRule(given Rule, report reporter) *rule {
	r := &rule{Rule: given.clone()}
	checkName(r.Name, report)
	if r.Key == "" {
		report.problem("key", "no key set; name the one to sign with")
	}
	checkRates(r.Rates, report)
	if r.Kubernetes != nil {
		checkKubernetes(&r.Rule, report)
		return r
	}
	if r.Raw != nil {
		checkRaw(&r.Rule, report)
		return r
	}
	if r.Profile == "" {
		report.problem("profile", "no profile; name the receiver's profile")
	}
	checkAudiences(&r.Rule, report)
	checkLifetimes(&r.Rule, report)
	r.compileClaims(report)
	return r
}

func checkRaw(r *Rule, report reporter) {
	if len(r.Audiences) > 0 || r.NoAudience || r.DefaultLifetime != 0 || r.MaxLifetime != 0 || r.BackDate != 0 || r.NotBefore ||
		len(r.Allow) > 0 || len(r.Force) > 0 || len(r.Require) > 0 || len(r.Loggable) > 0 || r.Profile != "" {
		report.problem("raw", "a grant for raw signatures takes no profile, audiences, lifetime or claims; "+
			"remove them, or add a separate grant for assertions with its own key set")
	}
	checkList("hashes", r.Raw.Hashes, report)
	checkList("paddings", r.Raw.Paddings, report)
}

func checkList(setting string, values []string, report reporter) {
	seen := make(map[string]bool, len(values))
	for _, value := range values {
		if value == "" || seen[value] {
			report.problem(setting, "%q is empty or listed twice; remove it", value)
		}
		seen[value] = true
	}
}

func checkAudiences(r *Rule, report reporter) {
	if r.NoAudience && len(r.Audiences) > 0 {
		report.problem("audiences", "profile %q has no audience; remove audiences", r.Profile)
	}
	checkList("audiences", r.Audiences, report)
	for _, audience := range r.Audiences {
		if len(audience) > maxAudience {
			report.problem("audiences", "%.64q… has %d bytes; the maximum is %d", audience, len(audience), maxAudience)
		}
		if !utf8.ValidString(audience) || strings.ContainsFunc(audience, unicode.IsControl) {
			report.problem("audiences", "%q contains control characters or invalid UTF-8; "+
				"write it exactly as the receiver does", audience)
		}
	}
}

func checkLifetimes(r *Rule, report reporter) {
	if !wholeSeconds(r.DefaultLifetime) || !wholeSeconds(r.MaxLifetime) {
		report.problem("lifetime", "default %v and max %v must be whole seconds; use at least 1s",
			r.DefaultLifetime, r.MaxLifetime)
	} else if r.DefaultLifetime > r.MaxLifetime {
		report.problem("lifetime", "the default of %v is above the max of %v; lower the default or raise the max",
			r.DefaultLifetime, r.MaxLifetime)
	} else if r.BackDate < 0 || r.BackDate%time.Second != 0 || r.BackDate >= r.MaxLifetime {
		report.problem("not_before", "a leeway of %v is not between 0s and the max lifetime of %v; lower it", r.BackDate, r.MaxLifetime)
	}
}

// wholeSeconds reports whether d is at least a second, without a fraction.
func wholeSeconds(d time.Duration) bool { return d >= time.Second && d%time.Second == 0 }

func checkRates(rates []rate.Window, report reporter) {
	periods := make(map[time.Duration]bool, len(rates))
	for _, w := range rates {
		if err := w.Check(); err != nil {
			report.problem("rate", "limit %d per %v, burst %d: %v", w.Limit, w.Per, w.Burst, err)
		}
		if periods[w.Per] {
			report.problem("rate", "two windows have the period %v; keep the stricter one", w.Per)
		}
		periods[w.Per] = true
	}
}
