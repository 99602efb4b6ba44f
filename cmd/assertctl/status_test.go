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

// TestStatusShowsSharedBudgets checks that an operator sees what is leased, and
// why the server can't be asked.
func TestStatusShowsSharedBudgets(t *testing.T) {
	for _, test := range []struct {
		shared *ipc.SharedBudgets
		want   []string
	}{
		{nil, nil},
		{&ipc.SharedBudgets{State: ipc.BudgetsShared, Daemons: 3}, nil},
		{&ipc.SharedBudgets{State: ipc.BudgetsShared, Daemons: 3, Windows: 2, Leased: 71}, []string{"shared budgets  2 windows of 3 daemons, 71 tokens leased here"}},
		{&ipc.SharedBudgets{State: ipc.BudgetsAway, Daemons: 3, Windows: 1, Leased: 1, Error: "connection refused"},
			[]string{"  BUDGETS NOT SHARED: connection refused\n", "1 window of 3 daemons, 1 token leased here"}},
		{&ipc.SharedBudgets{State: ipc.BudgetsReporting, Windows: 1}, []string{"  BUDGETS NOT SHARED: the fleet's server lost its data"}},
		{&ipc.SharedBudgets{State: ipc.BudgetsJoining, Windows: 1}, []string{"  BUDGETS NOT SHARED: the fleet's server has not answered"}},
	} {
		var out strings.Builder
		if err := printStatus(&out, ipc.StatusResponse{}, ipc.StatusResponse{SharedBudgets: test.shared}); err != nil {
			t.Fatal(err)
		}
		for _, want := range test.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%+v: no %q in\n%s", test.shared, want, out.String())
			}
		}
		if shown := strings.Contains(strings.ToLower(out.String()), "shared"); shown != (test.want != nil) {
			t.Errorf("%+v: shown: %t\n%s", test.shared, shown, out.String())
		}
	}
}
