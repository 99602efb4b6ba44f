package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/assertd/assertd/ipc/caller"
)

// Trace shows how every rule evaluated a request. It shows all clients, so it
// is for people who may read the configuration, never for a caller. The JSON of
// its parts is what assertd explain --json prints.
type Trace struct {
	Caller  caller.Caller
	Syntax  []Check       // of the request by itself
	Clients []ClientTrace // all of them, in configuration order
	Refusal *Refusal      // nil if the request is allowed
}

// Explanation is the trace of a request for an assertion.
type Explanation struct {
	Trace
	Request Request
	Grant   Grant // valid if the request is allowed
}

// ClientTrace shows how one client's selectors and grants evaluated a request.
type ClientTrace struct {
	Name      string       `json:"name"`
	Matched   bool         `json:"matched"`   // the caller matches this client
	Selectors []Check      `json:"selectors"` // all held if Matched
	Grants    []GrantTrace `json:"grants"`
}

// GrantTrace shows how one grant evaluated a request.
type GrantTrace struct {
	Name       string  `json:"name"`
	Raw        bool    `json:"raw"`                  // for raw signatures
	Kubernetes bool    `json:"kubernetes,omitempty"` // for tokens of service accounts
	Named      bool    `json:"named"`                // the request names this grant, or none
	Fits       bool    `json:"fits"`                 // every check held, regardless of the caller
	Checks     []Check `json:"checks"`               // empty if Other, never nil

	// Other means that the grant is for another kind of request, so it is never a
	// candidate.
	Other bool `json:"-"`
}

// Check is one comparison. Want is what the configuration requires, Have what
// the caller or its request has.
type Check struct {
	Name string `json:"name"`
	Held bool   `json:"held"`
	Want string `json:"want"`
	Have string `json:"have"`
	Why  string `json:"why,omitempty"` // the refusal's detail if the check did not hold
}

// Explain decides as [Policy.Decide] does, and records every client, selector,
// grant and check along the way. It goes through all of them without the index,
// so its outcome is a second opinion on Decide's.
func (p *Policy) Explain(caller caller.Caller, req Request) Explanation {
	e := Explanation{Trace: Trace{Caller: caller, Syntax: explainSyntax(&req)}, Request: req}
	normal, _ := normalizeRequest(&req)
	matched := e.addClients(p.clients, func(rule clientRule) GrantTrace { return rule.explain(&normal) })
	e.Grant, e.Refusal = decide(matched, &caller, &req)
	return e
}

// addClients adds the traces of clients, and returns those that match the
// caller.
func (t *Trace) addClients(clients []*client, explain func(clientRule) GrantTrace) (matched []*client) {
	t.Clients = []ClientTrace{}
	for _, c := range clients {
		trace := ClientTrace{Name: c.name, Selectors: c.explainSelectors(&t.Caller), Grants: []GrantTrace{}}
		trace.Matched = !slices.ContainsFunc(trace.Selectors, func(s Check) bool { return !s.Held })
		for _, r := range c.rules {
			trace.Grants = append(trace.Grants, explain(clientRule{c, r}))
		}
		if trace.Matched {
			matched = append(matched, c)
		}
		t.Clients = append(t.Clients, trace)
	}
	return matched
}

// explainSyntax runs the checks of a request by itself.
func explainSyntax(req *Request) []Check {
	names := sortedNames(req.Claims)
	return []Check{
		newCheck("claim names", "none of "+strings.Join(registered, ", "), enumerate(names), checkReserved(names)),
		newCheck("claim values", fmt.Sprintf("JSON, at most %d levels deep", maxDepth), countClaims(req), checkClaimSyntax(req)),
		newCheck("audience", fmt.Sprintf("at most %d bytes", maxAudience), fmt.Sprintf("%d bytes", len(req.Audience)), checkAudienceSyntax(req)),
		newCheck("lifetime", "whole seconds, at least 1, or none", formatLifetime(req.Lifetime), checkLifetimeSyntax(req)),
	}
}

func countClaims(req *Request) string {
	if len(req.Claims) == 1 {
		return "1 claim"
	}
	return fmt.Sprintf("%d claims", len(req.Claims))
}

func newCheck(name, want, have string, refusal *Refusal) Check {
	check := Check{Name: name, Held: refusal == nil, Want: want, Have: have}
	if refusal != nil {
		check.Why = refusal.Detail
	}
	return check
}

// explainSelectors treats a listener that is bound to a client as one more
// selector.
func (c *client) explainSelectors(caller *caller.Caller) []Check {
	checks := []Check{}
	if caller.Client != "" {
		held := caller.Client == c.name
		checks = append(checks, Check{Name: "bound listener", Held: held, Want: c.name, Have: caller.Client})
	}
	for _, k := range c.keys {
		name := selectorNames[k.selector]
		checks = append(checks, Check{Name: name, Held: k.matches(caller), Want: k.want(), Have: k.have(caller)})
	}
	return checks
}

func (c clientRule) explain(req *normalizedRequest) GrantTrace {
	trace := c.trace()
	trace.Named = req.Grant == "" || c.hasName(req.Grant)
	if trace.Other = trace.Raw || trace.Kubernetes; !trace.Other {
		trace.judge(c.rule.explain(req))
	}
	return trace
}

// trace returns the trace of a grant that nothing has been asked of.
func (c clientRule) trace() GrantTrace {
	return GrantTrace{Name: c.Name(), Raw: c.rule.Raw != nil, Kubernetes: c.rule.Kubernetes != nil, Checks: []Check{}}
}

func (g *GrantTrace) judge(checks []Check) {
	g.Checks = checks
	g.Fits = !slices.ContainsFunc(checks, func(check Check) bool { return !check.Held })
}

// explain runs every check, even after one that did not hold.
func (r *rule) explain(req *normalizedRequest) []Check {
	_, refusal := r.checkAudience(req.Audience)
	checks := []Check{newCheck("audience", r.audienceWanted(), formatAudience(req.Audience), refusal)}
	for _, name := range sortedNames(req.Claims) {
		value := req.Claims[name]
		refusal := r.checkClaim(name, value)
		checks = append(checks, newCheck("claim "+quoteShort(name), r.claimWanted(name), formatValue(value), refusal))
	}
	for _, name := range r.Require {
		refusal := r.checkRequired(name, req.Claims)
		checks = append(checks, newCheck("required claim "+quoteShort(name), "present", r.presence(name, req), refusal))
	}
	_, refusal = r.checkLifetime(req.Lifetime)
	lifetime := fmt.Sprintf("up to %ds, default %ds", seconds(r.MaxLifetime), seconds(r.DefaultLifetime))
	return append(checks, newCheck("lifetime", lifetime, formatLifetime(req.Lifetime), refusal))
}

func (r *rule) audienceWanted() string {
	if r.NoAudience {
		return "no audience"
	}
	return enumerate(quoteAll(r.Audiences))
}

func (r *rule) claimWanted(name string) string {
	if forced, ok := r.Force[name]; ok {
		return "set to " + formatValue(forced)
	}
	allowed, ok := r.allow[name]
	if !ok {
		return "not allowed"
	}
	return allowed.describe()
}

func (r *rule) presence(name string, req *normalizedRequest) string {
	switch {
	case r.Force[name] != nil:
		return "set by the grant"
	case req.Claims[name] != nil:
		return "sent"
	}
	return "missing"
}
