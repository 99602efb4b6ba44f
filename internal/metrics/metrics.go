package metrics

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/assertd/assertd/hsm/pool"
)

// Options are what Metrics are made of.
type Options struct {
	Registry           *prometheus.Registry
	Version, GoVersion string
	// The closed lists that labels are taken from. What is in none of them is not
	// counted, or under an empty label.
	Routes, Codes, Tokens []string
	// State is asked at each scrape, by any goroutine.
	State func() State
}

var _ pool.Observer = (*Metrics)(nil)

// Metrics counts. It is safe for concurrent use.
type Metrics struct {
	requests     *cache[requestKey]
	durations    map[string]prometheus.Observer // by route
	problems     map[string]prometheus.Counter  // by code
	workerEvents map[eventKey]prometheus.Counter
	appends      prometheus.Observer
	lost         prometheus.Counter
	vectors      vectors
	names        atomic.Pointer[resolved]
}

// noRoute labels requests whose path is none of the API's.
const noRoute = "none"

type requestKey struct {
	route  string
	status int
}

type eventKey struct {
	token string
	kind  pool.EventKind
}

// New registers all metrics; it fails where the registry has one of the same name
// already. Nothing is signed for anybody before the first Configure.
func New(o Options) (*Metrics, error) {
	requests, durations := requestsTotal.counters(), requestDuration.histograms()
	problems, events := requestProblems.counters(), workerEvents.counters()
	appends, lost := auditDuration.histograms(), auditRefused.counters()
	m := &Metrics{
		durations: make(map[string]prometheus.Observer), problems: make(map[string]prometheus.Counter),
		workerEvents: make(map[eventKey]prometheus.Counter),
		appends:      appends.WithLabelValues(), lost: lost.WithLabelValues(), vectors: newVectors(),
	}
	m.requests = newCache(func(k requestKey) prometheus.Counter {
		return requests.WithLabelValues(k.route, strconv.Itoa(k.status))
	})
	for _, route := range append([]string{noRoute}, o.Routes...) {
		m.durations[route] = durations.WithLabelValues(route)
	}
	for _, code := range o.Codes {
		m.problems[code] = problems.WithLabelValues(code)
	}
	for _, token := range o.Tokens {
		for _, kind := range pool.EventKinds() {
			m.workerEvents[eventKey{token, kind}] = events.WithLabelValues(token, string(kind))
		}
	}
	m.Configure(Names{})
	own := []prometheus.Collector{requests, durations, problems, events, appends, lost, build(o), newStateCollector(o.State)}
	return m, register(o.Registry, append(own, m.vectors.all()...))
}

func build(o Options) prometheus.Collector {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: buildInfo.Name, Help: buildInfo.Help}, buildInfo.Labels)
	g.WithLabelValues(o.Version, o.GoVersion).Set(1)
	return g
}

func register(registry *prometheus.Registry, own []prometheus.Collector) error {
	all := append(own, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, c := range all {
		if err := registry.Register(c); err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
	}
	return nil
}

// Request counts an answered request. Code is empty where it succeeded.
func (m *Metrics) Request(route string, status int, code string, took time.Duration) {
	duration, known := m.durations[route]
	if !known {
		route, duration = noRoute, m.durations[noRoute]
	}
	duration.Observe(took.Seconds())
	m.requests.get(requestKey{route, status}).Inc()
	if problem := m.problems[code]; problem != nil {
		problem.Inc()
	}
}

// WorkerEvent counts what happened to a worker of a token.
func (m *Metrics) WorkerEvent(e pool.Event) {
	if counter := m.workerEvents[eventKey{e.Token, e.Kind}]; counter != nil {
		counter.Inc()
	}
}

// Recorded counts a decision that was put on record, or could not be, and how long
// it waited for that.
func (m *Metrics) Recorded(took time.Duration, err error) {
	m.appends.Observe(took.Seconds())
	if err != nil {
		m.lost.Inc()
	}
}
