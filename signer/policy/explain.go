package policy

import (
	"fmt"
	"slices"

	"github.com/assertd/assertd/ipc/caller"
)

// Explanation is what every rule made of a request. It shows all clients and is meant for those who may read the configuration,
// never for a caller.
type Explanation struct {
	Caller  caller.Caller
	Request Request
	Form    []Check       // of the request by itself
	Clients []ClientTrace // all of them, in the order of the configuration

	Grant   Grant    // valid if the request is allowed
	Refusal *Refusal // nil if the request is allowed
}

// ClientTrace is what one client made of the caller and its request.
type ClientTrace struct {
	Name      string
	Matched   bool    // the caller is this client
	Selectors []Check // all of them held if Matched
	Grants    []GrantTrace
}

// GrantTrace is what one grant made of the request.
type GrantTrace struct {
	Name   string
	Raw    bool    // it is for raw signatures, so never a candidate
	Named  bool    // the request means this grant or names none
	Fits   bool    // every check held, whoever the caller is
	Checks []Check // none where Raw
}

// Check is one thing looked at. Want is what the configuration says, Have what the caller or its request has.
type Check struct {
	Name       string
	Held       bool
	Want, Have string
	Why        string // the refusal's detail if it did not hold
}

// Explain decides as [Policy.Decide] does, and keeps account of every client, selector, grant and check on the way. It looks at all
// of them one by one, without the index, so its outcome is a second opinion on Decide's.
func (p *Policy) Explain(caller caller.Caller, req Request) Explanation {
	e := Explanation{Caller: caller, Request: req, Form: explainForm(&req)}
	ask, _ := readRequest(&req)
	var matched []*client
	for _, c := range p.clients {
		trace := c.explain(&caller, &ask)
		if trace.Matched {
			matched = append(matched, c)
		}
		e.Clients = append(e.Clients, trace)
	}
	e.Grant, e.Refusal = decide(matched, &caller, &req)
	return e
}

func explainForm(req *Request) []Check {
	checks := make([]Check, 0, len(formChecks))
	for _, form := range formChecks {
		checks = append(checks, newCheck(form.name, form.want, form.have(req), form.check(req)))
	}
	return checks
}

func newCheck(name, want, have string, refusal *Refusal) Check {
	check := Check{Name: name, Held: refusal == nil, Want: want, Have: have}
	if refusal != nil {
		check.Why = refusal.Detail
	}
	return check
}

func (c *client) explain(caller *caller.Caller, ask *asked) ClientTrace {
	trace := ClientTrace{Name: c.Name, Selectors: c.explainSelectors(caller)}
	trace.Matched = !slices.ContainsFunc(trace.Selectors, func(s Check) bool { return !s.Held })
	for _, r := range c.rules {
		trace.Grants = append(trace.Grants, candidate{c, r}.explain(ask))
	}
	return trace
}

// explainSelectors adds to the selectors of the client the one that its caller's listener is.
func (c *client) explainSelectors(caller *caller.Caller) []Check {
	var checks []Check
	if caller.Client != "" {
		checks = append(checks, Check{Name: "bound listener", Held: caller.Client == c.Name, Want: c.Name, Have: caller.Client})
	}
	for i := range selectors {
		if s := &selectors[i]; s.given(&c.Match) {
			checks = append(checks, Check{Name: s.name, Held: s.holds(&c.Match, caller), Want: s.want(&c.Match), Have: s.have(&c.Match, caller)})
		}
	}
	return checks
}

func (c candidate) explain(ask *asked) GrantTrace {
	trace := GrantTrace{Name: c.rule.Name, Raw: c.rule.Raw != nil, Named: ask.grant == "" || c.named(ask.grant)}
	if trace.Raw {
		return trace
	}
	trace.Checks = c.rule.explain(ask)
	trace.Fits = !slices.ContainsFunc(trace.Checks, func(check Check) bool { return !check.Held })
	return trace
}

// explain makes every check, also those after one that did not hold.
func (r *rule) explain(ask *asked) []Check {
	_, refusal := r.checkAudience(ask.audience)
	checks := []Check{newCheck("audience", r.audienceWanted(), formatAudience(ask.audience), refusal)}
	for _, name := range sortedNames(ask.claims) {
		value := ask.claims[name]
		checks = append(checks, newCheck("claim "+clip(name), r.claimWanted(name), formatValue(value), r.checkClaim(name, value)))
	}
	for _, name := range r.Require {
		checks = append(checks, newCheck("required claim "+clip(name), "present", r.presence(name, ask), r.checkRequired(name, ask.claims)))
	}
	_, refusal = r.checkLifetime(ask.lifetime)
	lifetime := fmt.Sprintf("up to %ds, %ds if not given", seconds(r.MaxLifetime), seconds(r.DefaultLifetime))
	return append(checks, newCheck("lifetime", lifetime, formatLifetime(ask.lifetime), refusal))
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

func (r *rule) presence(name string, ask *asked) string {
	switch {
	case r.Force[name] != nil:
		return "set by the grant"
	case ask.claims[name] != nil:
		return "sent"
	}
	return "missing"
}
