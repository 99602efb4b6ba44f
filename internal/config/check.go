package config

import "github.com/assertd/assertd/internal/strictyaml"

// checker holds settings against each other once each of them is well formed
// by itself.
type checker struct {
	*Config
	file     *strictyaml.Document
	accounts *accountCache
	bound    map[string][]int // positions of the listeners that are bound to a client
	sockets  map[string]bool  // of all listeners
}

func check(config *Config) {
	c := &checker{Config: config, file: config.file, accounts: newAccountCache(config.accounts), bound: make(map[string][]int), sockets: make(map[string]bool)}
	for i, l := range config.Listen {
		c.sockets[l.Socket] = true
		if l.Client != "" {
			c.bound[l.Client] = append(c.bound[l.Client], i)
		}
	}
	c.hsm()
	c.keys()
	c.listeners()
	c.jwks()
	c.audit()
	c.clients()
}

// fault reports what is wrong with a setting and what to do.
func (c *checker) fault(path, format string, args ...any) { c.file.Fault(path, format, args...) }
