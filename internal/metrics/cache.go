package metrics

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// cache keeps counters that were looked up once, since Prometheus hashes the
// labels at each look. A read takes no lock; the map is replaced when a key is new,
// which a bounded set of keys makes rare.
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
