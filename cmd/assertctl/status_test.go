package main

import (
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/ipc"
)

// TestStatusShowsKubernetesKeys checks that an operator sees an issuer's keys
// and when those of before the migration end.
func TestStatusShowsKubernetesKeys(t *testing.T) {
	k := &ipc.KubernetesStatus{
		Issuer: "https://id.example.com/clusters/prod", Key: "cluster", RefreshSeconds: 300, MaxExpirationSeconds: 86400,
		Keys: []ipc.IssuerKey{{Kid: "own", Alg: "ES256"}, {Kid: "before", Alg: "RS256", Until: time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)}},
	}
	status := ipc.StatusResponse{Listeners: []ipc.ListenerStatus{{Socket: "/run/assertd/assertd.sock"}, {Socket: "/run/assertd/k8s.sock", Kubernetes: k}}}
	want := "kubernetes issuer https://id.example.com/clusters/prod  key set cluster  2 keys, fetched every 5m\n" +
		"  key own ES256\n  key before RS256, also published until 2027-01-31T12:00:00Z\n"
	var out strings.Builder
	printIssuers(&out, status)
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
	k.Keys, k.Error = nil, "there are no keys"
	out.Reset()
	if err := printStatus(&out, ipc.StatusResponse{}, status); err != nil || !strings.Contains(out.String(), "  KUBE-APISERVER GETS NO KEYS: there are no keys\n") {
		t.Errorf("got\n%s%v", out.String(), err)
	}
}
