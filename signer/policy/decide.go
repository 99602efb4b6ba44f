package policy

import (
	"time"
	"unicode/utf8"
)

// asked is a request after the checks that no rule can change the outcome of.
type asked struct {
	grant    string
	audience string
	claims   map[string]any // normalized, and no one else's
	lifetime time.Duration
}

// Decide finds the one grant that lets this caller have what it asks for. The error is a [*Refusal].
//
// The grants of all clients that the caller matches are candidates, or those that the request names. Exactly one of them must
// allow the whole request.
func (p *Policy) Decide(caller Caller, req Request) (Grant, error) {
	grant, refusal := decide(p.matching(&caller), &caller, &req)
	if refusal != nil {
		return Grant{}, refusal
	}
	return grant, nil
}

func decide(clients []*client, caller *Caller, req *Request) (Grant, *Refusal) {
	if len(clients) == 0 {
		return Grant{}, unknownCaller(caller)
	}
	ask, refusal := checkRequest(req)
	if refusal != nil {
		return Grant{}, refusal
	}
	candidates, refusal := nominate(clients, ask.grant)
	if refusal != nil {
		return Grant{}, refusal
	}
	var fitting []Grant
	var misses []miss
	for _, c := range candidates {
		if grant, miss := c.consider(&ask); miss.refusal != nil {
			misses = append(misses, miss)
		} else {
			fitting = append(fitting, grant)
		}
	}
	switch len(fitting) {
	case 0:
		return Grant{}, combine(misses)
	case 1:
		return fitting[0], nil
	}
	return Grant{}, ambiguous(fitting)
}

// checkRequest refuses what no grant could allow.
func checkRequest(req *Request) (asked, *Refusal) {
	for _, check := range []func(*Request) *Refusal{checkReserved, checkAudienceForm, checkLifetimeForm} {
		if refusal := check(req); refusal != nil {
			return asked{}, refusal
		}
	}
	ask := asked{grant: req.Grant, audience: req.Audience, lifetime: req.Lifetime}
	if len(req.Claims) == 0 {
		return ask, nil
	}
	ask.claims = make(map[string]any, len(req.Claims))
	for _, name := range sortedNames(req.Claims) {
		value, err := normalize(req.Claims[name], MaxDepth)
		if err != nil {
			return asked{}, refuse(ClaimNotAllowed, "claim %s %v; send a plain JSON value of at most %d levels", clip(name), err, MaxDepth)
		}
		ask.claims[name] = value
	}
	return ask, nil
}

func checkReserved(req *Request) *Refusal {
	for _, name := range sortedNames(req.Claims) {
		if isRegistered(name) {
			return refuse(ClaimReserved, "claim %s is set by assertd alone, and no other spelling of it is taken; leave it out", clip(name))
		}
	}
	return nil
}

func checkAudienceForm(req *Request) *Refusal {
	if len(req.Audience) > MaxAudience {
		return refuse(AudienceNotAllowed, "the audience has %d bytes; at most %d are allowed", len(req.Audience), MaxAudience)
	}
	if !utf8.ValidString(req.Audience) {
		return refuse(AudienceNotAllowed, "the audience is not UTF-8; send it exactly as the grant has it")
	}
	return nil
}

func checkLifetimeForm(req *Request) *Refusal {
	if req.Lifetime != 0 && !isLifetime(req.Lifetime) {
		return refuse(LifetimeNotAllowed, "a lifetime of %v is not possible; ask for whole seconds, at least 1, or leave it out for the grant's default", req.Lifetime)
	}
	return nil
}

// candidate is a rule that may answer a request.
type candidate struct {
	client *client
	rule   *rule
}

func (c candidate) qualified() string { return c.client.Name + "/" + c.rule.Name }

// named reports whether a request that says name means this rule. Names hold no slash, so the two forms can't collide.
func (c candidate) named(name string) bool { return c.rule.Name == name || c.qualified() == name }

// nominate lists the rules for assertions that a request may mean: all of the caller's, or those of the name it gives.
func nominate(clients []*client, name string) ([]candidate, *Refusal) {
	all := assertionRules(clients)
	if name == "" {
		if len(all) == 0 {
			return nil, refuse(GrantNotFound, "you have no grant for assertions; ask the administrator of assertd for one")
		}
		return all, nil
	}
	var named []candidate
	for _, c := range all {
		if c.named(name) {
			named = append(named, c)
		}
	}
	if len(named) == 0 {
		return nil, grantNotFound(name, all)
	}
	return named, nil
}

func assertionRules(clients []*client) []candidate {
	var all []candidate
	for _, client := range clients {
		for _, r := range client.rules {
			if r.Raw == nil {
				all = append(all, candidate{client, r})
			}
		}
	}
	return all
}

// step is how far a request came with a rule. Of several rules that refuse, the one with which it came furthest is the one that
// the caller most likely meant.
type step int

const (
	stepAudience step = iota
	stepClaims
	stepRequired
	stepLifetime
)

// miss is why a candidate refused.
type miss struct {
	candidate candidate
	step      step
	refusal   *Refusal
}

// consider checks a request against one rule.
func (c candidate) consider(ask *asked) (Grant, miss) {
	audience, refusal := c.rule.checkAudience(ask.audience)
	if refusal != nil {
		return Grant{}, miss{c, stepAudience, refusal}
	}
	if refusal := c.rule.checkClaims(ask.claims); refusal != nil {
		return Grant{}, miss{c, stepClaims, refusal}
	}
	if refusal := c.rule.checkRequirements(ask.claims); refusal != nil {
		return Grant{}, miss{c, stepRequired, refusal}
	}
	lifetime, refusal := c.rule.checkLifetime(ask.lifetime)
	if refusal != nil {
		return Grant{}, miss{c, stepLifetime, refusal}
	}
	return Grant{c.client, c.rule, audience, c.rule.merge(ask.claims), lifetime}, miss{}
}
