package policy

import (
	"cmp"
	"time"

	"github.com/assertd/assertd/ipc/caller"
)

// asked is a request with its claims normalized.
type asked struct {
	grant    string
	audience string
	names    []string       // of the claims, in the order in which they are checked
	claims   map[string]any // copied from the caller's
	lifetime time.Duration
}

// Decide finds the one grant that lets this caller have what it asks for. The error is a [*Refusal].
//
// The grants of all clients that the caller matches are candidates, or those that the request names. Exactly one of them must
// allow the whole request.
func (p *Policy) Decide(caller caller.Caller, req Request) (Grant, error) {
	grant, refusal := decide(p.matching(&caller), &caller, &req)
	if refusal != nil {
		return Grant{}, refusal
	}
	return grant, nil
}

func decide(clients []*client, caller *caller.Caller, req *Request) (Grant, *Refusal) {
	grant, refusal := decideAmong(clients, caller, req)
	return grant, refusal.attribute(clients, caller)
}

func decideAmong(clients []*client, caller *caller.Caller, req *Request) (Grant, *Refusal) {
	if len(clients) == 0 {
		return Grant{}, unknownCaller(caller)
	}
	ask, refusal := readRequest(req)
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

// readRequest refuses what no grant could allow. What it returns is as much of the request as can be looked at even then.
func readRequest(req *Request) (asked, *Refusal) {
	names := sortedNames(req.Claims)
	claims, malformed := normalizeClaims(names, req.Claims)
	ask := asked{grant: req.Grant, audience: req.Audience, names: names, claims: claims, lifetime: req.Lifetime}
	return ask, cmp.Or(checkReserved(names), malformed, checkAudienceForm(req), checkLifetimeForm(req))
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
	if refusal := c.rule.checkClaims(ask); refusal != nil {
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
