package policy

import (
	"fmt"
	"strings"

	"github.com/assertd/assertd/ipc/caller"
)

// KubernetesExplanation is the trace of a request for a token of a service
// account.
type KubernetesExplanation struct {
	Trace
	Request KubernetesRequest
	Grant   KubernetesGrant // valid if the request is allowed
}

// ExplainKubernetes decides as [Policy.DecideKubernetes] does, and records
// every client, selector, grant and check along the way.
func (p *Policy) ExplainKubernetes(caller caller.Caller, req KubernetesRequest) KubernetesExplanation {
	e := KubernetesExplanation{Trace: Trace{Caller: caller, Syntax: []Check{}}, Request: req}
	matched := e.addClients(p.clients, func(rule clientRule) GrantTrace { return rule.explainKubernetes(&req) })
	e.Grant, e.Refusal = decideKubernetes(matched, &req)
	return e
}

// Outcome says what happens to the request: the verdict, and below it the
// details.
func (e *KubernetesExplanation) Outcome() string {
	if e.Refusal != nil {
		return e.Refusal.outcome()
	}
	return fmt.Sprintf("allowed: grant %s of client %s\n  key set %s, service account %s, audiences %s\n",
		e.Grant.Name(), e.Grant.Client(), e.Grant.Key(), e.Request.account(), enumerate(quoteAll(e.Request.Audiences)))
}

func (c clientRule) explainKubernetes(req *KubernetesRequest) GrantTrace {
	trace := c.trace()
	trace.Named = true // kube-apiserver names no grant
	if trace.Other = !trace.Kubernetes; !trace.Other {
		trace.judge(c.rule.explainKubernetes(req))
	}
	return trace
}

// explainKubernetes runs every check, even after one that did not hold.
func (r *rule) explainKubernetes(req *KubernetesRequest) []Check {
	k := r.Kubernetes
	var otherKey *Refusal
	if r.Key != req.Key {
		otherKey = refuse(KeyNotAllowed, "The socket signs with key set %s, the grant is for %s.", quoteShort(req.Key), quoteShort(r.Key))
	}
	checks := []Check{
		newCheck("key set", r.Key, req.Key, otherKey),
		newCheck("service account", enumerateAccounts(k.ServiceAccounts), req.account(), k.checkAccount(req)),
	}
	if len(req.Audiences) == 0 {
		checks = append(checks, newCheck("audience", k.audienceWanted(""), "none", refuse(AudienceRequired, noAudience)))
	}
	for _, audience := range req.Audiences {
		checks = append(checks, newCheck("audience", k.audienceWanted(audience), quoteShort(audience), k.checkAudience(audience, req)))
	}
	return checks
}

// audienceWanted says which audiences the rule allows, or who can have this
// one.
func (r *KubernetesRule) audienceWanted(audience string) string {
	if accounts, reserved := r.Reserved[audience]; reserved {
		return "service account " + enumerateAccounts(accounts) + ", for which it is reserved"
	}
	if len(r.Audiences) == 1 && r.Audiences[0] == anything {
		return "any that isn't reserved"
	}
	return enumerate(quoteAll(r.Audiences))
}

func enumerateAccounts(accounts []string) string {
	if len(accounts) == 1 && accounts[0] == anything {
		return "any"
	}
	return strings.Join(accounts, ", ")
}
