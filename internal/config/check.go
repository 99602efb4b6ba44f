package config

import "github.com/assertd/assertd/internal/strictyaml"

// checker checks the rules that span several settings, once each setting is
// valid by itself.
type checker struct {
	*Config
	file     *strictyaml.Document
	accounts *accountCache
	bound    map[string][]int // indexes of the listeners bound to each client
	sockets  map[string]bool  // of all listeners
}

func check(config *Config, file *strictyaml.Document) {
	c := &checker{Config: config, file: file, accounts: newAccountCache(config.accounts), bound: make(map[string][]int), sockets: make(map[string]bool)}
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
	c.shared()
	c.paths()
	c.clients()
	c.kubernetes()
}

// fault reports what is wrong with a setting, and how to fix it.
func (c *checker) fault(path, format string, args ...any) { c.file.Fault(path, format, args...) }
