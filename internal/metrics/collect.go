package metrics

import (
	"cmp"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/signer"
)

// stateCollector converts the status that operators see to metrics on each
// scrape.
type stateCollector struct {
	state        func() ipc.StatusResponse
	descriptions map[string]*prometheus.Desc
}

// stateMetrics are the metrics that it collects.
var stateMetrics = []Metric{
	ready, policyInfo, freezes, frozen, frozenUntil, freezesUnsaved, storeUp, storeClock, sharedState, sharedDaemons, sharedCalls, sharedEpochs, connections, connectionLimit, ownRefused, budgetRemaining, budgetLimit,
	workers, tokenPIN, workerInFlight, workerRestarts,
	keySigning, keyReady, keyRefused, keyVersions, keyCreated, keyNextChange, keyDue, keyLate, keyLost, keyUncertified,
	jwksPublished, jwksKeys, jwksInfo, jwksFailing,
	auditUp, auditRecords, auditPending, auditUnsynced, auditBytes, auditLines, auditUncovered, auditCovered, auditSignFails,
	auditAnchor, auditWitness, auditCosigned, auditQuorum, auditWitnessed,
	auditShipUp, auditUnshipped, auditShipLag, auditShipGap,
	reloadSuccess, reloadFailure, reloadFailed,
}

func newStateCollector(state func() ipc.StatusResponse) *stateCollector {
	c := &stateCollector{state: state, descriptions: make(map[string]*prometheus.Desc)}
	for _, m := range stateMetrics {
		c.descriptions[m.Name] = m.describe()
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *stateCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range c.descriptions {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *stateCollector) Collect(out chan<- prometheus.Metric) {
	s := c.state()
	e := emitter{c.descriptions, out}
	e.flag(ready, s.Ready.Ready)
	e.digest(policyInfo, s.PolicyDigest)
	e.freezes(s.Freeze)
	e.store(s.Store)
	e.shared(s.SharedBudgets)
	e.count(connections, s.Connections)
	e.count(connectionLimit, s.ConnectionLimit)
	e.count(ownRefused, int(s.Sandbox.Refused))
	for _, client := range s.Clients {
		for _, grant := range client.Grants {
			e.grant(client.Name, grant)
		}
	}
	e.keysReady(s)
	e.workers(s.Tokens)
	for _, key := range s.Keys {
		e.key(key)
		e.budgets(key.Budgets, "", "", key.Name)
	}
	e.timestamp(jwksPublished, s.JWKS.Published)
	e.count(jwksKeys, s.JWKS.Keys)
	e.digest(jwksInfo, s.JWKS.Digest)
	e.flag(jwksFailing, s.JWKS.Error != "")
	if s.Audit != nil {
		e.audit(*s.Audit, s.Now)
	}
	e.timestamp(reloadSuccess, s.Reload.Success)
	e.timestamp(reloadFailure, s.Reload.Failure)
	e.flag(reloadFailed, s.Reload.Error != "")
}

// period returns text such as 1s, 30m or 24h, as in the configuration.
func period(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if d%unit.length == 0 {
			return fmt.Sprintf("%d%s", d/unit.length, unit.name)
		}
	}
	return d.String()
}

// emitter emits metrics of the table.
type emitter struct {
	descriptions map[string]*prometheus.Desc
	out          chan<- prometheus.Metric
}

func (e emitter) value(m Metric, value float64, labels ...string) {
	kind := prometheus.GaugeValue
	if m.Type == Counter {
		kind = prometheus.CounterValue
	}
	e.out <- prometheus.MustNewConstMetric(e.descriptions[m.Name], kind, value, labels...)
}

func (e emitter) count(m Metric, n int, labels ...string) { e.value(m, float64(n), labels...) }

func (e emitter) flag(m Metric, on bool, labels ...string) {
	value := 0.0
	if on {
		value = 1
	}
	e.value(m, value, labels...)
}

// timestamp omits an unknown time.
func (e emitter) timestamp(m Metric, t time.Time, labels ...string) {
	if !t.IsZero() {
		e.value(m, float64(t.UnixMilli())/1000, labels...)
	}
}

func (e emitter) digest(m Metric, digest string) {
	if digest != "" {
		e.value(m, 1, digest)
	}
}

func (e emitter) freezes(s ipc.FreezeStatus) {
	e.count(freezes, len(s.Freezes))
	e.flag(freezesUnsaved, s.Error != "")
	for _, f := range s.Freezes {
		labels := []string{f.Scope(), f.Client, f.Grant, f.Key}
		e.value(frozen, 1, labels...)
		e.timestamp(frozenUntil, f.Until, labels...)
	}
}

func (e emitter) store(s *ipc.StoreStatus) {
	if s == nil {
		return
	}
	e.flag(storeUp, s.Up)
	if !s.Answered.IsZero() {
		e.value(storeClock, s.ClockSeconds)
	}
}

func (e emitter) shared(s *ipc.SharedBudgets) {
	if s == nil || s.Windows == 0 {
		return
	}
	for _, state := range ipc.SharedStates() {
		e.flag(sharedState, state == s.State, string(state))
	}
	e.count(sharedDaemons, s.Daemons)
	e.value(sharedCalls, float64(s.Answered), "answered")
	e.value(sharedCalls, float64(s.Failed), "failed")
	e.value(sharedEpochs, float64(s.Epochs))
}

// grant emits the grant's own budgets. Those of its key set follow them in the
// status, and are emitted once per key set.
func (e emitter) grant(client string, grant ipc.GrantStatus) {
	own, name := 0, signer.GrantBudget(client, grant.Name)
	for own < len(grant.Budgets) && grant.Budgets[own].Name == name {
		own++
	}
	e.budgets(grant.Budgets[:own], client, grant.Name, "")
}

// keysReady emits whether each key set that grants use could sign.
func (e emitter) keysReady(s ipc.StatusResponse) {
	up := make(map[string]bool)
	for _, client := range s.Clients {
		for _, grant := range client.Grants {
			up[grant.Key] = s.Ready.Reason != ipc.ReasonStarting
		}
	}
	for _, d := range s.Ready.Degraded {
		up[d.Key] = false
	}
	for key, on := range up {
		e.flag(keyReady, on, key)
	}
}

func (e emitter) budgets(windows []ipc.BudgetInfo, client, grant, key string) {
	for _, w := range windows {
		per := period(time.Duration(math.Round(w.PerSeconds * float64(time.Second))))
		e.count(budgetRemaining, w.Remaining, client, grant, key, per)
		e.count(budgetLimit, cmp.Or(w.Burst, w.Limit), client, grant, key, per)
	}
}

func (e emitter) workers(tokens []ipc.TokenStatus) {
	for _, token := range tokens {
		states, inFlight, restarts := make(map[string]int), 0, 0
		for _, w := range token.Workers {
			states[w.State]++
			inFlight += w.InFlight
			restarts += w.Restarts
		}
		for _, state := range ipc.WorkerStates() { // report 0 instead of omitting a state
			e.count(workers, states[state], token.Name, state)
		}
		for _, state := range ipc.PINStates() {
			e.flag(tokenPIN, token.PIN.State == state, token.Name, state)
		}
		e.count(workerInFlight, inFlight, token.Name)
		e.count(workerRestarts, restarts, token.Name)
	}
}

func (e emitter) key(key ipc.KeySetStatus) {
	e.flag(keySigning, key.Signing != "", key.Name)
	e.count(keyRefused, len(key.Refused), key.Name)
	e.flag(keyLate, key.Late, key.Name)
	e.count(keyLost, len(key.Lost), key.Name)
	e.timestamp(keyNextChange, key.NextChange, key.Name)
	e.timestamp(keyDue, key.DueAt, key.Name)
	states, uncertified := make(map[ipc.KeyState]int), 0
	for _, v := range key.Versions {
		states[v.State]++
		if v.Uncertified {
			uncertified++
		}
		e.timestamp(keyCreated, v.Created, key.Name, v.Kid, string(v.State))
	}
	e.count(keyUncertified, uncertified, key.Name)
	for state, n := range states {
		e.count(keyVersions, n, key.Name, string(state))
	}
}

func (e emitter) audit(a ipc.AuditStatus, now time.Time) {
	e.flag(auditUp, a.Error == "")
	e.value(auditRecords, float64(a.Records))
	e.value(auditLines, float64(a.Lines))
	e.value(auditBytes, float64(a.Bytes))
	e.count(auditPending, a.Pending)
	e.value(auditUnsynced, unsynced(a, now).Seconds())
	if a.CheckpointKey != "" {
		e.value(auditUncovered, float64(a.Lines-a.CheckpointLines))
		e.timestamp(auditCovered, a.CheckpointTime)
		e.flag(auditSignFails, a.CheckpointError != "")
		e.flag(auditAnchor, a.AnchorError != "")
	}
	e.witnesses(a)
	e.shipping(a, now)
}

func (e emitter) shipping(a ipc.AuditStatus, now time.Time) {
	for _, s := range a.Ship {
		lag := time.Duration(0)
		if !s.Oldest.IsZero() {
			lag = max(0, now.Sub(s.Oldest))
		}
		e.flag(auditShipUp, s.Error == "", s.Destination)
		e.value(auditUnshipped, float64(s.Pending), s.Destination)
		e.value(auditShipLag, lag.Seconds(), s.Destination)
		e.value(auditShipGap, float64(s.Missing), s.Destination)
	}
}

func (e emitter) witnesses(a ipc.AuditStatus) {
	for _, w := range a.Witnesses {
		e.flag(auditWitness, w.Error == "", w.Name)
		e.timestamp(auditCosigned, w.Time, w.Name)
	}
	if len(a.Witnesses) > 0 {
		e.timestamp(auditQuorum, a.QuorumTime)
		e.value(auditWitnessed, float64(a.WitnessedLines))
	}
}

// unsynced returns the age of the oldest record that no sync has covered.
func unsynced(a ipc.AuditStatus, now time.Time) time.Duration {
	if a.UnsyncedSince.IsZero() {
		return 0
	}
	return max(0, now.Sub(a.UnsyncedSince))
}
