package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/assertd/assertd/hsm/pool"
	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/signer"
)

// Recorded counts a decision of the signer, and how long it waited for its
// audit record. err is why it has none. The record's client and key come from
// policy; its grant is the caller's text until policy has found a client.
func (m *Metrics) Recorded(r *audit.Record, took time.Duration, err error) {
	m.appends.Observe(took.Seconds())
	if err != nil {
		m.unrecorded.Inc()
	}
	names := m.names.Load()
	switch r.Code {
	case signer.CodeCallerLeft: // nothing was released, and there is nothing to fix
		return
	case "":
		m.release(names, Grant{r.Client, r.Grant, r.Key, useOf(r.Kind)})
		return
	}
	key := decisionKey{r.Client, r.Code}
	if !names.clients[r.Client] {
		key.client = ""
	}
	if m.problems[r.Code] == nil {
		key.code = ""
	}
	if r.Outcome == audit.OutcomeFailed {
		names.failures.get(key).Inc()
	} else {
		names.refusals.get(key).Inc()
	}
}

func (m *Metrics) release(names *resolved, g Grant) {
	counter := names.grants[g]
	if counter == nil {
		counter = m.vectors.counter(Grant{Use: g.Use})
	}
	counter.Inc()
}

// useOf is the use of a grant that a kind of record is about.
func useOf(kind string) string {
	switch kind {
	case audit.KindRaw:
		return ipc.UseRaw
	case audit.KindKubernetes:
		return ipc.UseKubernetes
	}
	return ipc.UseAssertion
}

// stages are the histograms of one key set.
type stages struct {
	queue, worker, session, module prometheus.Observer
	errors                         prometheus.Counter
}

func (v vectors) stages(key string) *stages {
	of := func(stage string) prometheus.Observer { return v.signDuration.WithLabelValues(key, stage) }
	return &stages{of("queue"), of("worker"), of("session"), of("module"), v.signErrors.WithLabelValues(key)}
}

// Signed records the timing of a key set's signature, or counts its failure.
func (m *Metrics) Signed(key string, t pool.Timing, err error) {
	s := m.names.Load().keys[key]
	switch {
	case s == nil:
	case err != nil:
		s.errors.Inc()
	default:
		s.queue.Observe(t.Queue.Seconds())
		s.worker.Observe(t.Worker.Seconds())
		s.session.Observe(t.Session.Seconds())
		s.module.Observe(t.Module.Seconds())
	}
}
