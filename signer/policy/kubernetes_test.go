package policy

import (
	"errors"
	"strings"
	"testing"

	"github.com/assertd/assertd/ipc/caller"
)

// kubernetesPolicy has a client for UID 0 with one grant.
func kubernetesPolicy(t *testing.T, rules ...KubernetesRule) *Policy {
	t.Helper()
	uid, client := uint32(0), Client{Name: "apiserver"}
	client.Match.UID = &uid
	for i := range rules {
		client.Grants = append(client.Grants, Rule{Name: "g" + string(rune('a'+i)), Key: "cluster", Kubernetes: &rules[i]})
	}
	p, err := New([]Client{client})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDecideKubernetes(t *testing.T) {
	everyone := KubernetesRule{ServiceAccounts: []string{"*"}, Audiences: []string{"*"}, Reserved: map[string][]string{"sts": {"payments/api", "reports/*"}}}
	some := KubernetesRule{ServiceAccounts: []string{"payments/api", "reports/*"}, Audiences: []string{"api", "vault"}}
	for name, test := range map[string]struct {
		rule      KubernetesRule
		namespace string
		account   string
		audiences []string
		want      Reason
	}{
		"any account":                    {everyone, "a", "b", []string{"x"}, ""},
		"a reserved audience":            {everyone, "a", "b", []string{"sts"}, AudienceNotAllowed},
		"a reserved one among others":    {everyone, "a", "b", []string{"x", "sts"}, AudienceNotAllowed},
		"a reserved one by name":         {everyone, "payments", "api", []string{"sts", "x"}, ""},
		"a reserved one by namespace":    {everyone, "reports", "any", []string{"sts"}, ""},
		"an account in another":          {everyone, "payments", "web", []string{"sts"}, AudienceNotAllowed},
		"another case":                   {everyone, "a", "b", []string{"STS"}, ""},
		"a listed account":               {some, "payments", "api", []string{"vault", "api"}, ""},
		"an account of the namespace":    {some, "payments", "web", []string{"api"}, ClaimNotAllowed},
		"a whole namespace":              {some, "reports", "web", []string{"api"}, ""},
		"a namespace that begins alike":  {some, "reports-2", "web", []string{"api"}, ClaimNotAllowed},
		"an audience that isn't listed":  {some, "reports", "web", []string{"api", "sts"}, AudienceNotAllowed},
		"no audience":                    {some, "reports", "web", nil, AudienceRequired},
		"an audience that is the symbol": {some, "reports", "web", []string{"*"}, AudienceNotAllowed},
		"no account at all":              {some, "", "", []string{"api"}, ClaimNotAllowed},
		"no audience allowed":            {KubernetesRule{ServiceAccounts: []string{"*"}}, "a", "b", []string{"api"}, AudienceNotAllowed},
	} {
		p, req := kubernetesPolicy(t, test.rule), KubernetesRequest{"cluster", test.namespace, test.account, test.audiences}
		grant, err := p.DecideKubernetes(caller.Caller{}, req)
		if (test.want == "") != grant.Valid() || (err != nil || test.want != "") && !errors.Is(err, &Refusal{Code: test.want}) {
			t.Errorf("%s: got %v, %v", name, grant.Valid(), err)
		}
		checkExplained(t, name, p.ExplainKubernetes(caller.Caller{}, req), test.want)
		var refusal *Refusal
		if errors.As(err, &refusal) && (refusal.Client != "apiserver" || strings.Contains(refusal.Detail, "apiserver") || strings.Contains(refusal.Detail, "ga")) {
			t.Errorf("%s: the refusal is %+v", name, refusal)
		}
	}
}

// checkExplained checks that an explanation of one grant has the outcome, and
// the check that did not hold.
func checkExplained(t *testing.T, name string, e KubernetesExplanation, want Reason) {
	t.Helper()
	if (e.Refusal == nil) != (want == "") || e.Refusal != nil && e.Refusal.Code != want {
		t.Errorf("%s: explained as %+v, want %q", name, e.Refusal, want)
	}
	if e.Clients[0].Grants[0].Fits != (want == "") {
		t.Errorf("%s: the checks are %+v", name, e.Clients[0].Grants[0].Checks)
	}
}

// TestKubernetesGrantsAreApart checks that no other decision uses such a grant,
// and that it is for its own key set and callers only.
func TestKubernetesGrantsAreApart(t *testing.T) {
	rule := KubernetesRule{ServiceAccounts: []string{"*"}, Audiences: []string{"*"}}
	p := kubernetesPolicy(t, rule)
	req := KubernetesRequest{"cluster", "a", "b", []string{"x"}}
	if _, err := p.Decide(caller.Caller{}, Request{Grant: "ga"}); !errors.Is(err, &Refusal{Code: GrantNotFound}) {
		t.Errorf("assertion: %v", err)
	}
	if _, err := p.DecideRaw(caller.Caller{}, RawRequest{Key: "cluster", Hash: "SHA-256"}); !errors.Is(err, &Refusal{Code: KeyNotAllowed}) {
		t.Errorf("raw signature: %v", err)
	}
	if _, err := p.DecideKubernetes(caller.Caller{UID: 1}, req); !errors.Is(err, &Refusal{Code: UnknownCaller}) {
		t.Errorf("another caller: %v", err)
	}
	if _, err := p.KubernetesClient(caller.Caller{}, "other"); !errors.Is(err, &Refusal{Code: KeyNotAllowed}) {
		t.Errorf("another key set: %v", err)
	}
	if client, err := p.KubernetesClient(caller.Caller{}, "cluster"); err != nil || client != "apiserver" {
		t.Errorf("got %q, %v", client, err)
	}
	if _, err := kubernetesPolicy(t, rule, rule).DecideKubernetes(caller.Caller{}, req); !errors.Is(err, &Refusal{Code: GrantAmbiguous}) {
		t.Errorf("two grants: %v", err)
	}
}

func TestKubernetesRulesAreChecked(t *testing.T) {
	uid := uint32(0)
	for name, rule := range map[string]Rule{
		"no account":            {Kubernetes: &KubernetesRule{Audiences: []string{"*"}}},
		"an account of no kind": {Kubernetes: &KubernetesRule{ServiceAccounts: []string{"payments"}}},
		"every namespace":       {Kubernetes: &KubernetesRule{ServiceAccounts: []string{"*/api"}}},
		"a part of a name":      {Kubernetes: &KubernetesRule{ServiceAccounts: []string{"payments/api-*"}}},
		"capitals":              {Kubernetes: &KubernetesRule{ServiceAccounts: []string{"Payments/api"}}},
		"twice":                 {Kubernetes: &KubernetesRule{ServiceAccounts: []string{"a/b", "a/b"}}},
		"any audience and one":  {Kubernetes: &KubernetesRule{ServiceAccounts: []string{"*"}, Audiences: []string{"*", "a"}}},
		"every one reserved":    {Kubernetes: &KubernetesRule{ServiceAccounts: []string{"*"}, Reserved: map[string][]string{"*": {"a/b"}}}},
		"reserved for nobody":   {Kubernetes: &KubernetesRule{ServiceAccounts: []string{"*"}, Reserved: map[string][]string{"a": nil}}},
		"with a profile":        {Kubernetes: &KubernetesRule{ServiceAccounts: []string{"*"}}, Profile: "private_key_jwt"},
		"raw too":               {Kubernetes: &KubernetesRule{ServiceAccounts: []string{"*"}}, Raw: &RawRule{Hashes: []string{"SHA-256"}}},
	} {
		rule.Name, rule.Key = "a", "cluster"
		if _, err := New([]Client{{Name: "c", Match: Match{UID: &uid}, Grants: []Rule{rule}}}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
