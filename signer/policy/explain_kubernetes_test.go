package policy

import (
	"testing"

	"github.com/assertd/assertd/ipc/caller"
)

func TestExplainKubernetes(t *testing.T) {
	uid := uint32(0)
	everyone := KubernetesRule{ServiceAccounts: []string{"*"}, Audiences: []string{"*"}, Reserved: map[string][]string{"sts": {"payments/api", "reports/*"}}}
	p := mustNew(t,
		Client{Name: "theirs", Match: Match{UID: id(7)}, Grants: []Rule{{Name: "b", Key: "cluster", Kubernetes: &everyone}}},
		Client{Name: "apiserver", Match: Match{UID: &uid}, Grants: []Rule{
			{Name: "pods", Key: "cluster", Kubernetes: &everyone},
			{Name: "test", Key: "other", Kubernetes: &KubernetesRule{ServiceAccounts: []string{"a/b", "c/*"}, Audiences: []string{"x", "y"}}},
			bank(), raw("tls", "mtls", []string{"SHA-256"}, nil),
		}},
	)
	e := p.ExplainKubernetes(caller.Caller{}, KubernetesRequest{"cluster", "reports", "web", []string{"sts", "z"}})
	want := `allowed: grant pods of client apiserver
  key set cluster, service account reports/web, audiences "sts", "z"
request
client theirs: does not match the caller
  NO  uid  want 7  have 0
  grant b: not available to the caller
    yes  key set          want cluster                                                            have cluster
    yes  service account  want any                                                                have reports/web
    yes  audience         want service account payments/api, reports/*, for which it is reserved  have "sts"
    yes  audience         want any that isn't reserved                                            have "z"
client apiserver: matches the caller
  yes  uid  want 0  have 0
  grant pods: allows the request
    yes  key set          want cluster                                                            have cluster
    yes  service account  want any                                                                have reports/web
    yes  audience         want service account payments/api, reports/*, for which it is reserved  have "sts"
    yes  audience         want any that isn't reserved                                            have "z"
  grant test: refuses the request
    NO  key set          want other     have cluster
    NO  service account  want a/b, c/*  have reports/web
    NO  audience         want "x", "y"  have "sts"
    NO  audience         want "x", "y"  have "z"
  grant bank: for assertions only
  grant tls: for raw signatures only
`
	if got := e.Outcome() + e.Text(true); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
