package metrics

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/assertd/assertd/ipc"
)

// stateCollector converts the daemon's state to metrics on each scrape.
type stateCollector struct {
	state        func() State
	descriptions map[string]*prometheus.Desc
}

// stateMetrics are the metrics that it collects.
var stateMetrics = []Metric{
	ready, connections, connectionLimit, budgetRemaining, budgetLimit,
	workers, workerInFlight, workerRestarts,
	keySigning, keyVersions, keyCreated, keyNextChange, keyDue, keyLate, keyLost,
	jwksPublished, jwksKeys, jwksFailing,
	auditUp, auditRecords, auditPending, auditUnsynced, auditBytes, auditLines, auditUncovered, auditCovered, auditSignFails,
	reloadSuccess, reloadFailure, reloadFailed,
}

func newStateCollector(state func() State) *stateCollector {
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
	e.flag(ready, s.Ready)
	e.count(connections, s.Connections)
	e.count(connectionLimit, s.ConnectionLimit)
	for _, b := range s.Budgets {
		e.count(budgetRemaining, b.Remaining, b.Client, b.Grant, b.Key, period(b.Window))
		e.count(budgetLimit, b.Limit, b.Client, b.Grant, b.Key, period(b.Window))
	}
	e.workers(s.Workers)
	for _, key := range s.Keys {
		e.key(key)
	}
	e.timestamp(jwksPublished, s.JWKS.Published)
	e.count(jwksKeys, s.JWKS.Keys)
	e.flag(jwksFailing, s.JWKS.Failing)
	if s.Audit != nil {
		e.audit(*s.Audit)
	}
	e.timestamp(reloadSuccess, s.Reload.Success)
	e.timestamp(reloadFailure, s.Reload.Failure)
	e.flag(reloadFailed, s.Reload.Failed)
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

func (e emitter) workers(all []ipc.WorkerStatus) {
	type key struct{ token, state string }
	states, inFlight, restarts := make(map[key]int), make(map[string]int), make(map[string]int)
	for _, w := range all {
		for _, state := range ipc.WorkerStates() {
			states[key{w.Token, state}] += 0 // report 0 instead of omitting a state
		}
		states[key{w.Token, w.State}]++
		inFlight[w.Token] += w.InFlight
		restarts[w.Token] += w.Restarts
	}
	for p, n := range states {
		e.count(workers, n, p.token, p.state)
	}
	for token := range inFlight {
		e.count(workerInFlight, inFlight[token], token)
		e.count(workerRestarts, restarts[token], token)
	}
}

func (e emitter) key(key ipc.KeySetStatus) {
	e.flag(keySigning, key.Signing != "", key.Name)
	e.flag(keyLate, key.Late, key.Name)
	e.count(keyLost, len(key.Lost), key.Name)
	e.timestamp(keyNextChange, key.NextChange, key.Name)
	e.timestamp(keyDue, key.DueAt, key.Name)
	states := make(map[ipc.KeyState]int)
	for _, v := range key.Versions {
		states[v.State]++
		e.timestamp(keyCreated, v.Created, key.Name, v.Kid, string(v.State))
	}
	for state, n := range states {
		e.count(keyVersions, n, key.Name, string(state))
	}
}

func (e emitter) audit(a Audit) {
	e.flag(auditUp, a.Up)
	e.value(auditRecords, float64(a.Records))
	e.value(auditLines, float64(a.Lines))
	e.value(auditBytes, float64(a.Bytes))
	e.count(auditPending, a.Pending)
	e.value(auditUnsynced, a.Unsynced.Seconds())
	if a.Checkpoints {
		e.value(auditUncovered, float64(a.Lines-a.Covered))
		e.timestamp(auditCovered, a.CoveredAt)
		e.flag(auditSignFails, a.CheckpointFail)
	}
}
