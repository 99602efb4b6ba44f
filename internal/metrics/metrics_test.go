package metrics_test

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/assertd/assertd/hsm/pool"
	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/metrics"
	"github.com/assertd/assertd/ipc"
)

var exampleGrant = metrics.Grant{Client: "payments-api", Name: "bank-a", Key: "payments", Use: ipc.UseAssertion}

var clusterGrant = metrics.Grant{Client: "apiserver", Name: "pods", Key: "cluster", Use: ipc.UseKubernetes}

// full returns a state in which no metric is absent.
func full() ipc.StatusResponse {
	now := time.Unix(1_800_000_000, 0)
	return ipc.StatusResponse{
		Now: now, Ready: ipc.ReadyResponse{Ready: true}, Connections: 3, ConnectionLimit: 1024,
		Clients: []ipc.ClientStatus{{Name: "payments-api", Grants: []ipc.GrantStatus{{Name: "bank-a", Key: "payments", Budgets: []ipc.BudgetInfo{
			{Name: "grant/payments-api/bank-a", PerSeconds: 10, Remaining: 40, Limit: 50},
			{Name: "grant/payments-api/bank-a", PerSeconds: 86400, Remaining: 5, Limit: 50, Burst: 100_000},
			{Name: "key/payments", PerSeconds: 0.001, Remaining: 1, Limit: 2},
		}}}}},
		Tokens: []ipc.TokenStatus{{Name: "prod", PIN: ipc.PINStatus{State: ipc.PINCountLow}, Workers: []ipc.WorkerStatus{
			{WorkerState: ipc.WorkerState{Token: "prod", State: ipc.WorkerReady}, InFlight: 1, Restarts: 2},
			{WorkerState: ipc.WorkerState{Token: "prod", State: ipc.WorkerWaiting}},
		}}},
		Keys: []ipc.KeySetStatus{{
			Name: "payments", Signing: "k1", NextChange: now, DueAt: now,
			Versions: []ipc.VersionStatus{
				{KeyVersion: ipc.KeyVersion{Kid: "k1", Created: now}, State: ipc.KeySigning},
				{KeyVersion: ipc.KeyVersion{Kid: "k2"}, State: ipc.KeyRetired},
			},
		}},
		JWKS: ipc.JWKSStatus{Published: now, Keys: 1, Digest: "b"}, PolicyDigest: "a",
		Freeze: ipc.FreezeStatus{Freezes: []ipc.Freeze{{FreezeTarget: ipc.FreezeTarget{Client: "payments-api"}, Until: now}}, Error: "disk full"},
		Store:  &ipc.StoreStatus{Answered: now}, SharedBudgets: &ipc.SharedBudgets{State: ipc.BudgetsShared, Windows: 1},
		Audit: &ipc.AuditStatus{
			Records: 7, Lines: 9, CheckpointKey: "payments", CheckpointLines: 5, CheckpointTime: now,
			Witnesses: []ipc.WitnessStatus{{Name: "witness.example.com", Lines: 5, Time: now}}, Quorum: 1, QuorumTime: now, WitnessedLines: 5,
			Ship: []ipc.ShipStatus{{Destination: "syslog:/dev/log", Lines: 4, Pending: 5, Oldest: now, Missing: 1}},
		},
		Reload: ipc.ReloadStatus{Success: now, Failure: now.Add(time.Minute)},
	}
}

// TestKeyReady checks that the readiness of each key set in use has its own
// series.
func TestKeyReady(t *testing.T) {
	for name, ready := range map[string]ipc.ReadyResponse{
		"1": {Ready: true},
		"0": {Ready: true, Degraded: []ipc.DegradedKey{{Key: "payments", Reason: ipc.ReasonHSMUnavailable}}},
	} {
		state := full()
		state.Ready, state.Keys[0].Refused = ready, []string{"a pair"}
		registry := prometheus.NewRegistry()
		_, err := metrics.New(metrics.Options{Registry: registry, State: func() ipc.StatusResponse { return state }})
		if err != nil {
			t.Fatal(err)
		}
		want := "# HELP assertd_key_ready " + help(t, "assertd_key_ready") + "\n# TYPE assertd_key_ready gauge\nassertd_key_ready{key=\"payments\"} " + name + "\n" +
			"# HELP assertd_key_refused " + help(t, "assertd_key_refused") + "\n# TYPE assertd_key_refused gauge\nassertd_key_refused{key=\"payments\"} 1\n"
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "assertd_key_ready", "assertd_key_refused"); err != nil {
			t.Error(err)
		}
	}
}

// TestShipLag checks what the metrics say about a destination that is away: how
// many lines and how old the oldest is, and what it will never get.
func TestShipLag(t *testing.T) {
	state := full()
	state.Audit.Ship[0].Oldest = state.Now.Add(-90 * time.Second)
	state.Audit.Ship[0].Error = "connection refused"
	registry := prometheus.NewRegistry()
	if _, err := metrics.New(metrics.Options{Registry: registry, State: func() ipc.StatusResponse { return state }}); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		if m := f.GetMetric()[0]; strings.HasPrefix(f.GetName(), "assertd_audit_ship_") {
			values[f.GetName()] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	lag := values["assertd_audit_ship_lag_seconds"]
	delete(values, "assertd_audit_ship_lag_seconds")
	want := map[string]float64{"assertd_audit_ship_up": 0, "assertd_audit_ship_pending_lines": 5, "assertd_audit_ship_missing_lines_total": 1}
	if lag != 90 || !maps.Equal(values, want) {
		t.Errorf("lag %v, %v", lag, values)
	}
}

func help(t *testing.T, name string) string {
	t.Helper()
	for _, m := range metrics.All() {
		if m.Name == name {
			return m.Help
		}
	}
	t.Fatalf("no metric %s", name)
	return ""
}

func newMetrics(t testing.TB) (*metrics.Metrics, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewRegistry()
	m, err := metrics.New(metrics.Options{
		Registry: registry, Version: "v1", GoVersion: "go1",
		Routes: []string{"/v1/assertions"}, Codes: []ipc.Code{"rate-limited", "internal"},
		Tokens: []string{"prod"}, State: full,
	})
	if err != nil {
		t.Fatal(err)
	}
	m.Configure(metrics.Names{
		Grants: []metrics.Grant{exampleGrant, {Client: "mesh", Name: "tls", Key: "mtls", Use: ipc.UseRaw}, clusterGrant},
		Keys:   []string{"payments", "mtls", "cluster"},
	})
	return m, registry
}

// exercise increments every counter.
func exercise(m *metrics.Metrics) {
	m.Request("/v1/assertions", 200, "", time.Millisecond)
	m.Request("/v1/assertions", 429, "rate-limited", time.Millisecond)
	m.Recorded(&audit.Record{Kind: audit.KindAssertion, Client: "payments-api", Grant: "bank-a", Key: "payments"}, time.Millisecond, nil)
	m.Recorded(&audit.Record{Kind: audit.KindAssertion, Client: "payments-api", Grant: "bank-a", Key: "payments", Code: "rate-limited"}, time.Millisecond, nil)
	m.Recorded(&audit.Record{Kind: audit.KindAssertion, Client: "payments-api", Grant: "bank-a", Key: "payments", Code: "internal", Outcome: audit.OutcomeFailed}, time.Millisecond, nil)
	m.Recorded(&audit.Record{Kind: audit.KindKubernetes, Client: "apiserver", Grant: "pods", Key: "cluster"}, time.Millisecond, nil)
	m.Signed("payments", pool.Timing{Queue: time.Microsecond, Module: time.Millisecond}, nil)
	m.WorkerEvent(pool.Event{Token: "prod", Kind: pool.EventExit})
}

// TestTable checks the registry against the table: it has every row with its
// type and labels, and nothing else except the runtime's metrics.
func TestTable(t *testing.T) {
	m, registry := newMetrics(t)
	exercise(m)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string]metrics.Metric)
	for _, row := range metrics.All() {
		rows[row.Name] = row
	}
	for _, family := range families {
		row, known := rows[family.GetName()]
		if !known {
			if !strings.HasPrefix(family.GetName(), "go_") && !strings.HasPrefix(family.GetName(), "process_") {
				t.Errorf("%s is not in the table", family.GetName())
			}
			continue
		}
		delete(rows, row.Name)
		if got := strings.ToLower(family.GetType().String()); got != string(row.Type) {
			t.Errorf("%s is a %s, the table says %s", row.Name, got, row.Type)
		}
		var labels []string
		for _, pair := range family.GetMetric()[0].GetLabel() {
			labels = append(labels, pair.GetName())
		}
		if want := slices.Sorted(slices.Values(row.Labels)); !slices.Equal(labels, want) {
			t.Errorf("%s has labels %v, the table says %v", row.Name, labels, want)
		}
	}
	for name := range rows {
		t.Errorf("%s is only in the table", name)
	}
}

// TestLint checks names and help against Prometheus's conventions.
func TestLint(t *testing.T) {
	m, registry := newMetrics(t)
	exercise(m)
	problems, err := testutil.GatherAndLint(registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestUnknownNames: only configured names become label values.
func TestUnknownNames(t *testing.T) {
	m, registry := newMetrics(t)
	const evil = "made-up-by-a-caller"
	m.Request("/v1/"+evil, 404, evil, 0)
	m.Recorded(&audit.Record{Kind: audit.KindAssertion, Grant: evil, Code: "rate-limited"}, time.Millisecond, nil)
	m.Recorded(&audit.Record{Kind: audit.KindAssertion, Client: evil, Grant: evil, Code: evil}, time.Millisecond, nil)
	m.Recorded(&audit.Record{Kind: audit.KindAssertion, Client: evil, Grant: evil, Key: evil}, time.Millisecond, nil)
	m.Recorded(&audit.Record{Kind: audit.KindAssertion, Client: "payments-api", Grant: evil, Key: "payments"}, time.Millisecond, nil)
	m.Recorded(&audit.Record{Kind: audit.KindRaw, Client: evil, Grant: evil, Key: evil}, time.Millisecond, nil)
	m.Signed(evil, pool.Timing{}, nil)
	m.Signed(evil, pool.Timing{}, errors.New("no"))
	m.WorkerEvent(pool.Event{Token: evil, Kind: pool.EventKind(evil)})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if strings.Contains(family.String(), evil) {
			t.Errorf("%s has it: %v", family.GetName(), family)
		}
	}
	if got := m.Totals().Released[metrics.Grant{Use: ipc.UseAssertion}]; got != 2 {
		t.Errorf("%d assertions without a configured grant, want 2", got)
	}
}

// TestState checks the labels and values of the state's metrics.
func TestState(t *testing.T) {
	_, registry := newMetrics(t)
	want := `
# HELP assertd_rate_budget_limit Maximum number of signatures left in the same window: its burst, or its limit if it has no burst.
# TYPE assertd_rate_budget_limit gauge
assertd_rate_budget_limit{client="payments-api",grant="bank-a",key="",window="24h"} 100000
assertd_rate_budget_limit{client="payments-api",grant="bank-a",key="",window="10s"} 50
# HELP assertd_token_pin 1 for the state of the token's PIN, otherwise 0: unknown, ok, count-low (wrong PINs were entered), final-try (the next wrong one locks the token), refused or locked.
# TYPE assertd_token_pin gauge
assertd_token_pin{state="count-low",token="prod"} 1
assertd_token_pin{state="final-try",token="prod"} 0
assertd_token_pin{state="locked",token="prod"} 0
assertd_token_pin{state="ok",token="prod"} 0
assertd_token_pin{state="refused",token="prod"} 0
assertd_token_pin{state="unknown",token="prod"} 0
# HELP assertd_workers Worker processes, by state: starting, ready, waiting, refused (the token doesn't take the PIN) or stopped.
# TYPE assertd_workers gauge
assertd_workers{state="ready",token="prod"} 1
assertd_workers{state="refused",token="prod"} 0
assertd_workers{state="starting",token="prod"} 0
assertd_workers{state="stopped",token="prod"} 0
assertd_workers{state="waiting",token="prod"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "assertd_rate_budget_limit", "assertd_token_pin", "assertd_workers"); err != nil {
		t.Error(err)
	}
}

// TestConfigure: a reload keeps the counts of names that stay, and ends the
// series of names that go.
func TestConfigure(t *testing.T) {
	m, registry := newMetrics(t)
	exercise(m)
	m.Recorded(&audit.Record{Kind: audit.KindRaw, Client: "mesh", Grant: "tls", Key: "mtls"}, time.Millisecond, nil)
	m.Recorded(&audit.Record{Kind: audit.KindRaw, Client: "mesh", Grant: "tls", Key: "mtls", Code: "rate-limited"}, time.Millisecond, nil)
	m.Configure(metrics.Names{Grants: []metrics.Grant{exampleGrant}, Keys: []string{"payments"}})
	exercise(m)
	if got := m.Totals().Released[exampleGrant]; got != 2 {
		t.Errorf("%d assertions of the grant that stays, want 2", got)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if text := metric.String(); strings.Contains(text, "mesh") || strings.Contains(text, "mtls") {
				t.Errorf("%s still has a series of what is gone: %s", family.GetName(), text)
			}
		}
	}
}

func TestTotals(t *testing.T) {
	m, _ := newMetrics(t)
	exercise(m)
	totals := m.Totals()
	want := map[string][]ipc.CodeCount{"payments-api": {{Code: "rate-limited", Count: 1}}}
	if !reflect.DeepEqual(totals.Refusals, want) {
		t.Errorf("refusals %v, want %v", totals.Refusals, want)
	}
	if failures := totals.Failures["payments-api"]; len(totals.Failures) != 1 || len(failures) != 1 || failures[0].Code != "internal" {
		t.Errorf("failures %v", totals.Failures)
	}
}

func TestTwice(t *testing.T) {
	_, registry := newMetrics(t)
	if _, err := metrics.New(metrics.Options{Registry: registry, State: full}); err == nil {
		t.Error("two sets of metrics in one registry")
	}
}

// BenchmarkAssertion measures the total cost of metrics per assertion.
func BenchmarkAssertion(b *testing.B) {
	m, _ := newMetrics(b)
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			m.Signed("payments", pool.Timing{Queue: time.Microsecond, Worker: time.Millisecond, Session: 1, Module: time.Millisecond}, nil)
			m.Recorded(&audit.Record{Kind: audit.KindAssertion, Client: "payments-api", Grant: "bank-a", Key: "payments"}, time.Millisecond, nil)
			m.Request("/v1/assertions", 200, "", 2*time.Millisecond)
		}
	})
}
