package config

import (
	"slices"
	"strings"
)

// checker holds settings against each other once each of them is well formed
// by itself.
type checker struct {
	*Config
	report   *report
	accounts *accountCache
	bound    map[string][]int // positions of the listeners that are bound to a client
	sockets  map[string]bool  // of all listeners
}

func check(config *Config, r *report) {
	c := &checker{Config: config, report: r, accounts: newAccountCache(config.accounts), bound: make(map[string][]int), sockets: make(map[string]bool)}
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
func (c *checker) fault(path, format string, args ...any) { c.report.fault(path, format, args...) }

// didYouMean ends a sentence about a name that is not known.
func didYouMean(name string, known []string) string {
	slices.Sort(known)
	if near := nearest(name, known); near != "" {
		return "did you mean " + near + "?"
	}
	if len(known) == 0 {
		return "there is none yet"
	}
	const most = 10
	list := known
	if len(list) > most {
		list = append(slices.Clone(list[:most]), "…")
	}
	return "there are " + strings.Join(list, ", ")
}
