package metrics

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// cache stores counters by key, because Prometheus hashes the labels on every lookup.
// Reads take no lock. The map is replaced when there is a new key, which is rare
// since the set of keys is bounded.
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
