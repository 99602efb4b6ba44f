package config

import "github.com/assertd/assertd/internal/strictyaml"

// shipping checks the places that the audit log is shipped to.
func (c *checker) shipping() {
	seen := make(map[string]int)
	for i, to := range c.Audit.Ship {
		path := strictyaml.Item("audit.ship", i)
		if (to.Syslog == nil) == (to.OTLP == nil) {
			c.fault(path, "%s must name one destination; set either syslog or otlp", path)
			continue
		}
		place := c.destination(path, to)
		if first, ok := seen[place]; ok {
			c.fault(path, "%s is the same destination; remove one of them", strictyaml.Item("audit.ship", first))
			continue
		}
		seen[place] = i
	}
}

// destination checks a destination and returns what tells it from others.
func (c *checker) destination(path string, to Ship) string {
	if o := to.OTLP; o != nil {
		c.clientCertificate(path+".otlp", o.Cert, o.Key)
		return o.Endpoint
	}
	s, path := to.Syslog, path+".syslog"
	if (s.Socket == "") == (s.Address == "") {
		c.fault(path, "a syslog destination needs either socket or address; set one of them")
	}
	if s.Socket != "" && s.CA+s.Cert+s.Key != "" {
		c.fault(path, "ca, cert and key are for TLS, and a socket has none; remove them, or use address")
	}
	c.clientCertificate(path, s.Cert, s.Key)
	return s.Socket + s.Address
}

func (c *checker) clientCertificate(path, cert, key string) {
	if (cert == "") != (key == "") {
		c.fault(path, "a client certificate needs both cert and key; add the other one")
	}
}
