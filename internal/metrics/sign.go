package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/assertd/assertd/hsm/pool"
)

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
