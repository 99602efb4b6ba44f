package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/assertd/assertd/ipc"
)

// Totals are the decisions since the daemon started, for operators without
// Prometheus.
type Totals struct {
	Released           map[Grant]uint64
	Refusals, Failures map[string][]ipc.CodeCount // by client; "" if policy found none
}

// Count fills in the counts of the clients, and returns those of decisions made
// before policy found a client.
func (t Totals) Count(clients []ipc.ClientStatus) (unmatched []ipc.CodeCount) {
	for i := range clients {
		c := &clients[i]
		c.Refusals, c.Failures = t.Refusals[c.Name], t.Failures[c.Name]
		for j := range c.Grants {
			g := &c.Grants[j]
			g.Released = t.Released[Grant{c.Name, g.Name, g.Key, g.Use}]
		}
	}
	return append(t.Refusals[""], t.Failures[""]...)
}

// Totals reads the counters of decisions.
func (m *Metrics) Totals() Totals {
	t := Totals{Released: make(map[Grant]uint64)}
	for use, vector := range m.vectors.released {
		each(vector, func(labels map[string]string, n uint64) {
			t.Released[Grant{labels["client"], labels["grant"], labels["key"], use}] = n
		})
	}
	t.Refusals, t.Failures = tallies(m.vectors.refusals), tallies(m.vectors.failures)
	return t
}

func tallies(vec *prometheus.CounterVec) map[string][]ipc.CodeCount {
	all := make(map[string][]ipc.CodeCount)
	each(vec, func(labels map[string]string, n uint64) {
		client := labels["client"]
		all[client] = append(all[client], ipc.CodeCount{Code: ipc.Code(labels["code"]), Count: n})
	})
	return all
}

// each calls show for every series of a vector.
func each(vec *prometheus.CounterVec, show func(labels map[string]string, n uint64)) {
	series := make(chan prometheus.Metric)
	go func() { vec.Collect(series); close(series) }()
	for metric := range series {
		var out dto.Metric
		if metric.Write(&out) != nil {
			continue // can't happen with a counter
		}
		labels := make(map[string]string, len(out.GetLabel()))
		for _, pair := range out.GetLabel() {
			labels[pair.GetName()] = pair.GetValue()
		}
		show(labels, uint64(out.GetCounter().GetValue()))
	}
}
