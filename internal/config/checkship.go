package config

import "github.com/assertd/assertd/internal/strictyaml"

// shipping checks the places that the audit log is shipped to.
func (c *checker) shipping() {
	seen := make(map[string]int)
	for i, to := range c.Audit.Ship {
		path := strictyaml.Item("audit.ship", i)
		if to.Syslog == nil {
			c.fault(path, "%s names no destination; add syslog: {socket: /dev/log}, or syslog: {address: …}", path)
			continue
		}
		c.syslog(path+".syslog", to.Syslog)
		place := to.Syslog.Socket + to.Syslog.Address
		if first, ok := seen[place]; ok {
			c.fault(path, "%s is the same destination; remove one of them", strictyaml.Item("audit.ship", first))
			continue
		}
		seen[place] = i
	}
}

func (c *checker) syslog(path string, s *Syslog) {
	if (s.Socket == "") == (s.Address == "") {
		c.fault(path, "a syslog destination needs either socket or address; set one of them")
	}
	if s.Socket != "" && s.CA+s.Cert+s.Key != "" {
		c.fault(path, "ca, cert and key are for TLS, and a socket has none; remove them, or use address")
	}
	if (s.Cert == "") != (s.Key == "") {
		c.fault(path, "a client certificate needs both cert and key; add the other one")
	}
}
