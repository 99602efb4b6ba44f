package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/assertd/assertd/ipc"
)

// Names are the label values that a configuration allows.
type Names struct {
	Grants []Grant
	Keys   []string // key sets
}

// Grant is one grant of a client.
type Grant struct {
	Client, Name, Key string
	Use               string // ipc.UseAssertion, ipc.UseRaw or ipc.UseKubernetes
}

// vectors are the metrics whose labels a reload can change.
type vectors struct {
	released           map[string]*prometheus.CounterVec // by use
	refusals, failures *prometheus.CounterVec
	signDuration       *prometheus.HistogramVec
	signErrors         *prometheus.CounterVec
}

func newVectors() vectors {
	return vectors{
		released: map[string]*prometheus.CounterVec{
			ipc.UseAssertion: assertionsTotal.counters(), ipc.UseRaw: signaturesTotal.counters(), ipc.UseKubernetes: kubernetesTotal.counters(),
		},
		refusals: refusalsTotal.counters(), failures: failuresTotal.counters(),
		signDuration: signDuration.histograms(), signErrors: signErrors.counters(),
	}
}

func (v vectors) all() []prometheus.Collector {
	all := []prometheus.Collector{v.refusals, v.failures, v.signDuration, v.signErrors}
	for _, vector := range v.released {
		all = append(all, vector)
	}
	return all
}

// counter returns a grant's counter.
func (v vectors) counter(g Grant) prometheus.Counter {
	return v.released[g.Use].WithLabelValues(g.Client, g.Name, g.Key)
}

// resolved are the counters for one configuration.
type resolved struct {
	clients            map[string]bool
	grants             map[Grant]prometheus.Counter
	keys               map[string]*stages
	refusals, failures *cache[decisionKey]
}

type decisionKey struct{ client, code string }

// Configure limits labels to those of a configuration. Names that stay keep
// their counts; series of names that are gone end.
func (m *Metrics) Configure(n Names) { m.Use(m.Resolve(n))() }

// Resolved are the series of a configuration.
type Resolved struct{ *resolved }

// Use is Configure for series that were resolved before: it only switches to
// them. forget then ends the series of names that are gone.
func (m *Metrics) Use(next Resolved) (forget func()) {
	old := m.names.Swap(next.resolved)
	return func() {
		if old != nil {
			m.vectors.forget(old, next.resolved)
		}
	}
}

// Resolve finds or makes the series of a configuration.
func (m *Metrics) Resolve(n Names) Resolved {
	v := m.vectors
	next := &resolved{
		clients: make(map[string]bool), grants: make(map[Grant]prometheus.Counter), keys: make(map[string]*stages),
		refusals: newCache(func(k decisionKey) prometheus.Counter { return v.refusals.WithLabelValues(k.client, k.code) }),
		failures: newCache(func(k decisionKey) prometheus.Counter { return v.failures.WithLabelValues(k.client, k.code) }),
	}
	for _, g := range n.Grants {
		next.clients[g.Client] = true
		next.grants[g] = v.counter(g)
	}
	for _, key := range n.Keys {
		next.keys[key] = v.stages(key)
	}
	return Resolved{next}
}

// forget ends the series of names that the next configuration doesn't have.
func (v vectors) forget(old, next *resolved) {
	for g := range old.grants {
		if next.grants[g] == nil {
			v.released[g.Use].DeleteLabelValues(g.Client, g.Name, g.Key)
		}
	}
	for client := range old.clients {
		if !next.clients[client] {
			v.refusals.DeletePartialMatch(prometheus.Labels{"client": client})
			v.failures.DeletePartialMatch(prometheus.Labels{"client": client})
		}
	}
	for key := range old.keys {
		if next.keys[key] == nil {
			v.signDuration.DeletePartialMatch(prometheus.Labels{"key": key})
			v.signErrors.DeleteLabelValues(key)
		}
	}
}
