package config

import (
	"io/fs"
	"maps"
	"math"
	"slices"

	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/internal/spelling"
	"github.com/assertd/assertd/internal/strictyaml"
	"github.com/assertd/assertd/internal/web"
)

// maxSocketPath is the size of sockaddr_un's path without its terminating NUL,
// unix(7).
const maxSocketPath = 107

func (c *checker) listeners() {
	if len(c.Listen) == 0 && len(c.Clients) > 0 {
		c.fault("listen", "the clients have no socket to connect to; add one under listen, such as {socket: /run/assertd/assertd.sock, group: assertd-callers}")
	}
	taken := make(map[string]string)
	c.socket("operator.socket", c.Operator.Socket, taken)
	names := c.clientNames()
	for i := range c.Listen {
		l, path := &c.Listen[i], strictyaml.Item("listen", i)
		c.socket(path+".socket", l.Socket, taken)
		l.owner = c.owner(path+".owner", "user", l.Owner, c.accounts.User)
		l.group = c.owner(path+".group", "group", l.Group, c.accounts.Group)
		if fs.FileMode(l.Mode)&0o600 != 0o600 {
			c.fault(path+".mode", "mode %s locks the socket's owner out; start it with 06, as in \"0660\"", l.Mode)
		}
		if l.Client != "" && !names[l.Client] {
			c.fault(path+".client", "no client is named %s; %s", strictyaml.Quote(l.Client), spelling.DidYouMean(l.Client, slices.Collect(maps.Keys(names))))
		}
	}
}

func (c *checker) clientNames() map[string]bool {
	names := make(map[string]bool, len(c.Clients))
	for _, client := range c.Clients {
		names[client.Name] = true
	}
	return names
}

func (c *checker) socket(path, socket string, taken map[string]string) {
	if socket == "" {
		return
	}
	if len(socket) > maxSocketPath {
		c.fault(path, "the path is %d bytes long; the maximum for a socket is %d, so use a shorter directory", len(socket), maxSocketPath)
	}
	if other, ok := taken[socket]; ok {
		c.fault(path, "%s has the same path; give each socket its own", other)
		return
	}
	taken[socket] = path
}

// owner returns the ID of a user or group that is given by name or ID.
func (c *checker) owner(path, what, given string, resolve func(string) (uint32, error)) *uint32 {
	if given == "" {
		return nil
	}
	if id, err := parseID(given); err == nil && id != math.MaxUint32 { // chown(2) ignores that one
		return &id
	}
	id, _ := c.resolve(path, what, given, resolve)
	return &id
}

func (c *checker) jwks() {
	j := c.JWKS
	if j.ClientAddress != web.Connection && len(j.Proxies) == 0 {
		c.fault("jwks.client_address", "client_address: %s requires jwks.proxies, or anyone could name an address; list the proxies, or remove client_address", j.ClientAddress)
	}
	if j.Listen != "" {
		return
	}
	for _, setting := range []struct {
		name  string
		given bool
	}{{"tls", j.TLS != nil}, {"issuer", j.Issuer != ""}, {"per_key_set", j.PerKeySet}, {"proxies", len(j.Proxies) > 0}} {
		if setting.given {
			c.fault("jwks."+setting.name, "jwks.%s requires jwks.listen, which is not set; add listen: \":8443\", or remove %s", setting.name, setting.name)
		}
	}
}

func (c *checker) audit() {
	a := c.Audit
	if a.File == "" {
		c.unrecorded()
		return
	}
	c.witnesses()
	c.shipping()
	if a.CheckpointKey == "" {
		return
	}
	switch k, ok := c.Keys[a.CheckpointKey]; {
	case !ok:
		c.fault("audit.checkpoint_key", "no key set is named %s; %s", strictyaml.Quote(a.CheckpointKey), spelling.DidYouMean(a.CheckpointKey, slices.Collect(maps.Keys(c.Keys))))
	case k.Use != UseRaw:
		c.fault("audit.checkpoint_key", "key set %s signs JWTs; give checkpoints their own key set with use: raw", strictyaml.Quote(a.CheckpointKey))
	case k.Alg.kind() != jose.P256 && k.Alg.kind() != jose.Ed25519:
		c.fault("audit.checkpoint_key", "key set %s has alg: %s, which can't sign checkpoints; use EdDSA or ES256", strictyaml.Quote(a.CheckpointKey), k.Alg)
	}
}

// unrecorded refuses to run without a log unless that is explicit.
func (c *checker) unrecorded() {
	if c.Audit.Required {
		c.fault("audit.file", "audit.file is missing, and every signature must be recorded; add audit: {file: /var/log/assertd/audit.jsonl}, or audit: {required: false} to run without a log")
	}
	if c.Audit.CheckpointKey != "" {
		c.fault("audit.checkpoint_key", "checkpoint_key requires audit.file, which is not set; add file, or remove checkpoint_key")
	}
	if len(c.Audit.Ship) > 0 {
		c.fault("audit.ship", "ship requires audit.file, which is not set; add file, or remove ship")
	}
}
