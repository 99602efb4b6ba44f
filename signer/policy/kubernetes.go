package policy

import (
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/assertd/assertd/ipc/caller"
)

// anything in a list of a KubernetesRule allows all of its kind.
const anything = "*"

// KubernetesRule says which tokens of Kubernetes service accounts may be
// signed. An empty list allows none.
type KubernetesRule struct {
	// ServiceAccounts are those that may have tokens: "namespace/name", all of a
	// namespace as "namespace/*", or every one as "*".
	ServiceAccounts []string
	// Audiences are compared byte by byte. "*" allows every audience that is not
	// a key of Reserved.
	Audiences []string
	// Reserved are audiences that only some of the ServiceAccounts may have, in
	// the same notation.
	Reserved map[string][]string
}

func (r KubernetesRule) clone() *KubernetesRule {
	r.ServiceAccounts, r.Audiences = slices.Clone(r.ServiceAccounts), slices.Clone(r.Audiences)
	reserved := make(map[string][]string, len(r.Reserved))
	for audience, accounts := range r.Reserved {
		reserved[audience] = slices.Clone(accounts)
	}
	r.Reserved = reserved
	return &r
}

// KubernetesRequest asks for a token of a service account.
type KubernetesRequest struct {
	Key                       string
	Namespace, ServiceAccount string
	Audiences                 []string
}

// KubernetesGrant is permission to sign one token of a service account. Only
// [Policy.DecideKubernetes] makes a valid one; code that accepts one must
// refuse it unless Valid reports true.
type KubernetesGrant struct{ clientRule }

// DecideKubernetes finds the one grant that allows this caller a token of a
// service account, signed with a key set. The error is a [*Refusal]. Its detail
// reaches the person who asked the cluster for a token, so it names no grant.
func (p *Policy) DecideKubernetes(caller caller.Caller, req KubernetesRequest) (KubernetesGrant, error) {
	clients := p.matching(&caller)
	grant, refusal := decideKubernetes(clients, &req)
	if refusal != nil {
		return KubernetesGrant{}, refusal.attribute(clients, &caller)
	}
	return grant, nil
}

// KubernetesClient names the client whose grant lets the caller have tokens
// signed with a key set, the first if there are several. If it may have none,
// the error is the [*Refusal] of DecideKubernetes.
func (p *Policy) KubernetesClient(caller caller.Caller, key string) (string, error) {
	clients := p.matching(&caller)
	rules, refusal := kubernetesRules(clients, key)
	if refusal != nil {
		return "", refusal.attribute(clients, &caller)
	}
	return rules[0].Client(), nil
}

func decideKubernetes(clients []*client, req *KubernetesRequest) (KubernetesGrant, *Refusal) {
	candidates, refusal := kubernetesRules(clients, req.Key)
	if refusal != nil {
		return KubernetesGrant{}, refusal
	}
	var grants []KubernetesGrant
	var first *Refusal
	for _, c := range candidates {
		refusal := c.rule.Kubernetes.check(req)
		switch {
		case refusal == nil:
			grants = append(grants, KubernetesGrant{c})
		case first == nil:
			first = refusal
			first.Client, first.Grant = c.Client(), c.Name()
		}
	}
	switch len(grants) {
	case 0:
		return KubernetesGrant{}, first
	case 1:
		return grants[0], nil
	}
	return KubernetesGrant{}, refuse(GrantAmbiguous, "%d grants allow this token. Ask your assertd administrator to remove all but one.", len(grants))
}

// kubernetesRules lists the rules for tokens with one key set.
func kubernetesRules(clients []*client, key string) ([]clientRule, *Refusal) {
	if len(clients) == 0 {
		return nil, refuse(UnknownCaller, "The token signer does not know the process that asks for tokens. Ask your assertd administrator to run assertd explain.")
	}
	var rules []clientRule
	for _, client := range clients {
		for _, r := range client.rules {
			if r.Kubernetes != nil && r.Key == key {
				rules = append(rules, clientRule{client, r})
			}
		}
	}
	if len(rules) == 0 {
		return nil, refuse(KeyNotAllowed, "The token signer has no grant for the process that asks for tokens. Ask your assertd administrator for one.")
	}
	return rules, nil
}

const noAudience = "The token has no audience."

// check returns why the rule does not allow a token, nil if it does.
func (r *KubernetesRule) check(req *KubernetesRequest) *Refusal {
	if refusal := r.checkAccount(req); refusal != nil {
		return refusal
	}
	if len(req.Audiences) == 0 {
		return refuse(AudienceRequired, noAudience)
	}
	for _, audience := range req.Audiences {
		if refusal := r.checkAudience(audience, req); refusal != nil {
			return refusal
		}
	}
	return nil
}

func (r *KubernetesRule) checkAccount(req *KubernetesRequest) *Refusal {
	if includes(r.ServiceAccounts, req) {
		return nil
	}
	return refuse(ClaimNotAllowed, "The token signer does not sign tokens for service account %s.", quoteShort(req.account()))
}

func (r *KubernetesRule) checkAudience(audience string, req *KubernetesRequest) *Refusal {
	accounts, reserved := r.Reserved[audience]
	if reserved && includes(accounts, req) || !reserved && (slices.Contains(r.Audiences, audience) || slices.Contains(r.Audiences, anything)) {
		return nil
	}
	return refuse(AudienceNotAllowed, "The token signer does not sign tokens for audience %s and service account %s.", quoteShort(audience), quoteShort(req.account()))
}

// account is the service account as lists have it.
func (req *KubernetesRequest) account() string { return req.Namespace + "/" + req.ServiceAccount }

// includes reports whether a list of service accounts has the one of a request.
// Neither a namespace nor a name can be "*" or contain a slash: the request's
// are valid.
func includes(accounts []string, req *KubernetesRequest) bool {
	return slices.Contains(accounts, req.account()) ||
		slices.Contains(accounts, req.Namespace+"/"+anything) || slices.Contains(accounts, anything)
}

func checkKubernetes(r *Rule, report reporter) {
	if r.Raw != nil || len(r.Audiences) > 0 || r.NoAudience || r.DefaultLifetime != 0 || r.MaxLifetime != 0 || r.BackDate != 0 || r.NotBefore ||
		len(r.Allow) > 0 || len(r.Force) > 0 || len(r.Require) > 0 || len(r.Loggable) > 0 || r.Profile != "" {
		report.problem("kubernetes", "a grant for Kubernetes tokens takes no profile, lifetime, claims, hashes or audiences of its own; "+
			"remove them, or add a separate grant for assertions with its own key set")
	}
	k := r.Kubernetes
	checkAccounts("kubernetes.service_accounts", k.ServiceAccounts, report)
	checkKubernetesAudiences("kubernetes.audiences", k.Audiences, report)
	for _, audience := range slices.Sorted(maps.Keys(k.Reserved)) {
		checkKubernetesAudiences("kubernetes.reserved", []string{audience}, report)
		checkAccounts("kubernetes.reserved", k.Reserved[audience], report)
		if audience == anything {
			report.problem("kubernetes.reserved", "%q is not an audience; name each reserved audience", anything)
		}
	}
}

func checkAccounts(setting string, accounts []string, report reporter) {
	checkList(setting, accounts, report)
	for _, account := range accounts {
		namespace, name, found := strings.Cut(account, "/")
		if account != anything && (!found || !dnsName(namespace) || !dnsName(name) && name != anything) {
			report.problem(setting, "%q is not a service account; write namespace/name, namespace/* for all of a namespace, or *", account)
		}
	}
	if len(accounts) == 0 {
		report.problem(setting, "the list is empty, so it allows no service account; list some, or %q for all", anything)
	}
}

// dnsName reports whether text has only the characters of a DNS subdomain (RFC
// 1123), as names in Kubernetes do.
func dnsName(text string) bool {
	fits := func(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '.' }
	return text != "" && len(text) <= 253 && !strings.ContainsFunc(text, func(r rune) bool { return !fits(r) })
}

func checkKubernetesAudiences(setting string, audiences []string, report reporter) {
	checkList(setting, audiences, report)
	for _, audience := range audiences {
		if len(audience) > maxAudience || !utf8.ValidString(audience) || strings.ContainsFunc(audience, unicode.IsControl) {
			report.problem(setting, "%.64q is not an audience; write up to %d bytes without control characters", audience, maxAudience)
		}
	}
	if slices.Contains(audiences, anything) && len(audiences) > 1 {
		report.problem(setting, "%q already allows every audience that is not reserved; remove the others", anything)
	}
}
