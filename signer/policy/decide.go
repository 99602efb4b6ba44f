package policy

import (
	"cmp"
	"slices"
	"time"

	"github.com/assertd/assertd/ipc/caller"
)

// normalizedRequest is a Request with its claims normalized.
type normalizedRequest struct {
	Request
	names []string // of the claims, in the order in which they are checked
}

// Decide finds the one grant that allows this caller's request. The error is a
// [*Refusal].
//
// The candidates are the grants of all clients that the caller matches or, if
// the request names a grant, those with that name. Exactly one of them must
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
	normal, refusal := normalizeRequest(req)
	if refusal != nil {
		return Grant{}, refusal
	}
	candidates, refusal := candidatesFor(clients, normal.Grant)
	if refusal != nil {
		return Grant{}, refusal
	}
	var grants []Grant
	var rejections []rejection
	for _, c := range candidates {
		if grant, rejected := c.evaluate(&normal); rejected.refusal != nil {
			rejections = append(rejections, rejected)
		} else {
			grants = append(grants, grant)
		}
	}
	switch len(grants) {
	case 0:
		return Grant{}, combine(rejections)
	case 1:
		return grants[0], nil
	}
	return Grant{}, ambiguous(grants)
}

// normalizeRequest refuses what no grant could allow. Even then it returns as
// much of the request as can be normalized, for Explain.
func normalizeRequest(req *Request) (normalizedRequest, *Refusal) {
	names := sortedNames(req.Claims)
	claims, malformed := normalizeClaims(names, req.Claims)
	normal := normalizedRequest{Request: *req, names: names}
	normal.Claims = claims
	return normal, cmp.Or(checkReserved(names), malformed, checkAudienceSyntax(req), checkLifetimeSyntax(req))
}

// candidatesFor lists the rules for assertions that a request may use: all of
// the caller's, or those with the name that the request gives.
func candidatesFor(clients []*client, name string) ([]clientRule, *Refusal) {
	all := assertionRules(clients)
	if name == "" {
		if len(all) == 0 {
			return nil, noGrants()
		}
		return all, nil
	}
	var named []clientRule
	for _, c := range all {
		if c.hasName(name) {
			named = append(named, c)
		}
	}
	if len(named) == 0 {
		return nil, grantNotFound(name, all)
	}
	return named, nil
}

func assertionRules(clients []*client) []clientRule {
	var all []clientRule
	for _, client := range clients {
		for _, r := range client.rules {
			if r.Raw == nil && r.Kubernetes == nil {
				all = append(all, clientRule{client, r})
			}
		}
	}
	return all
}

// step is how far a rule's checks got before one failed. Of several rules that
// reject a request, the one that got furthest is most likely the one that the
// caller meant.
type step int

const (
	stepAudience step = iota
	stepClaims
	stepRequired
	stepLifetime
)

// rejection is why a rule does not allow a request.
type rejection struct {
	clientRule
	step    step
	refusal *Refusal
}

// evaluate checks a request against one rule.
func (c clientRule) evaluate(req *normalizedRequest) (Grant, rejection) {
	audience, refusal := c.rule.checkAudience(req.Audience)
	if refusal != nil {
		return Grant{}, rejection{c, stepAudience, refusal}
	}
	if refusal := c.rule.checkClaims(req); refusal != nil {
		return Grant{}, rejection{c, stepClaims, refusal}
	}
	if refusal := c.rule.checkRequirements(req.Claims); refusal != nil {
		return Grant{}, rejection{c, stepRequired, refusal}
	}
	lifetime, refusal := c.rule.checkLifetime(req.Lifetime)
	if refusal != nil {
		return Grant{}, rejection{c, stepLifetime, refusal}
	}
	return Grant{c, audience, c.rule.merge(req.Claims), lifetime}, rejection{}
}

// checkAudience returns the audience as configured, never the caller's string.
func (r *rule) checkAudience(requested string) (string, *Refusal) {
	switch {
	case r.NoAudience && requested == "":
		return "", nil
	case r.NoAudience:
		return "", refuse(AudienceNotAllowed, "Assertions from grant %q have no audience. "+
			"Leave audience out of the request.", r.Name)
	case len(r.Audiences) == 0:
		return "", refuse(AudienceNotAllowed, "Grant %q lists no audiences, so it allows none. "+
			"Ask your assertd administrator to add one.", r.Name)
	case requested == "" && len(r.Audiences) == 1:
		return r.Audiences[0], nil
	case requested == "":
		return "", refuse(AudienceRequired, "Grant %q allows several audiences. Set audience to one of %s.",
			r.Name, enumerate(quoteAll(r.Audiences)))
	}
	if i := slices.Index(r.Audiences, requested); i >= 0 {
		return r.Audiences[i], nil
	}
	return "", refuse(AudienceNotAllowed, "Grant %q does not allow audience %q. Use one of %s, byte for byte.",
		r.Name, requested, enumerate(quoteAll(r.Audiences)))
}

// checkLifetime returns the lifetime of the assertion. It refuses one that is
// too long instead of shortening it, because the caller relies on what it asked
// for.
func (r *rule) checkLifetime(requested time.Duration) (time.Duration, *Refusal) {
	if requested == 0 {
		return r.DefaultLifetime, nil
	}
	if requested > r.MaxLifetime {
		return 0, refuse(LifetimeNotAllowed, "Grant %q allows a lifetime of up to %d seconds, not %d. "+
			"Ask for less, or leave the lifetime out to get %d seconds.",
			r.Name, seconds(r.MaxLifetime), seconds(requested), seconds(r.DefaultLifetime))
	}
	return requested, nil
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
