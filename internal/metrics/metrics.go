package metrics

import (
	"fmt"
	"maps"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/assertd/assertd/hsm/pool"
	"github.com/assertd/assertd/ipc"
)

// Options configure Metrics.
type Options struct {
	Registry           *prometheus.Registry
	Version, GoVersion string
	// The closed lists of label values. Anything else is not counted, or is
	// counted under an empty label.
	Routes, Tokens []string
	Codes          []ipc.Code
	// State is called on each scrape, from any goroutine.
	// Only the counts of decisions may be missing.
	State func() ipc.StatusResponse
}

var _ pool.Observer = (*Metrics)(nil)

// Metrics records metrics. It is safe for concurrent use.
type Metrics struct {
	requests     *cache[requestKey]
	durations    map[string]prometheus.Observer // by route
	problems     map[string]prometheus.Counter  // by code
	workerEvents map[eventKey]prometheus.Counter
	appends      prometheus.Observer
	unrecorded   prometheus.Counter
	vectors      vectors
	names        atomic.Pointer[resolved]
}

// noRoute labels requests whose path is not part of the API.
const noRoute = "none"

type requestKey struct {
	route  string
	status int
}

type eventKey struct {
	token string
	kind  pool.EventKind
}

// New registers all metrics. It fails if the registry already has one with the
// same name. Call Configure before anything is signed.
func New(o Options) (*Metrics, error) {
	requests, durations := requestsTotal.counters(), requestDuration.histograms()
	problems, events := requestProblems.counters(), workerEvents.counters()
	appends, unrecorded := auditDuration.histograms(), auditRefused.counters()
	m := &Metrics{
		durations: make(map[string]prometheus.Observer), problems: make(map[string]prometheus.Counter),
		workerEvents: make(map[eventKey]prometheus.Counter),
		appends:      appends.WithLabelValues(), unrecorded: unrecorded.WithLabelValues(), vectors: newVectors(),
	}
	m.requests = newCache(func(k requestKey) prometheus.Counter {
		return requests.WithLabelValues(k.route, strconv.Itoa(k.status))
	})
	for _, route := range append([]string{noRoute}, o.Routes...) {
		m.durations[route] = durations.WithLabelValues(route)
	}
	for _, code := range o.Codes {
		m.problems[string(code)] = problems.WithLabelValues(string(code))
	}
	for _, token := range o.Tokens {
		for _, kind := range pool.EventKinds() {
			m.workerEvents[eventKey{token, kind}] = events.WithLabelValues(token, string(kind))
		}
	}
	m.Configure(Names{})
	own := []prometheus.Collector{requests, durations, problems, events, appends, unrecorded, build(o), newStateCollector(o.State)}
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

// Request counts a request and its response. The code is empty if it succeeded.
func (m *Metrics) Request(route string, status int, code ipc.Code, took time.Duration) {
	duration, known := m.durations[route]
	if !known {
		route, duration = noRoute, m.durations[noRoute]
	}
	duration.Observe(took.Seconds())
	m.requests.get(requestKey{route, status}).Inc()
	if problem := m.problems[string(code)]; problem != nil {
		problem.Inc()
	}
}

// WorkerEvent counts an event of one of a token's workers.
func (m *Metrics) WorkerEvent(e pool.Event) {
	if counter := m.workerEvents[eventKey{e.Token, e.Kind}]; counter != nil {
		counter.Inc()
	}
}

// cache stores counters by key, because Prometheus hashes the labels on every
// lookup. Reads take no lock. The map is replaced when there is a new key,
// which is rare since the set of keys is bounded.
type cache[K comparable] struct {
	resolve func(K) prometheus.Counter
	mu      sync.Mutex
	known   atomic.Pointer[map[K]prometheus.Counter]
}

func newCache[K comparable](resolve func(K) prometheus.Counter) *cache[K] {
	c := &cache[K]{resolve: resolve}
	c.known.Store(&map[K]prometheus.Counter{})
	return c
}

func (c *cache[K]) get(key K) prometheus.Counter {
	if counter, ok := (*c.known.Load())[key]; ok {
		return counter
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	next := maps.Clone(*c.known.Load())
	counter := c.resolve(key)
	next[key] = counter
	c.known.Store(&next)
	return counter
}
