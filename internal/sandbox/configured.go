package sandbox

import (
	"os"
	"path/filepath"

	"github.com/assertd/assertd/internal/config"
)

// system returns the paths that programs, libraries and name services read on
// any Linux system.
func system() []string {
	return []string{
		"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/opt", "/proc", "/sys",
		"/nix/store", "/run/systemd", "/run/pcscd", "/var/lib/sss",
	}
}

// Front returns the rules for the daemon's own process, which also apply to its
// workers: system files, the files that c names, and what the module needs.
// path is the configuration file.
func Front(path string, c *config.Config) Rules {
	r := Worker(c)
	if absolute, err := filepath.Abs(path); err == nil {
		r.Read = addDirectories(r.Read, absolute)
	}
	if tls := c.JWKS.TLS; tls != nil {
		r.Read = addDirectories(r.Read, tls.Cert, tls.Key)
	}
	for _, key := range c.Keys {
		r.Read = addDirectories(r.Read, key.Certificate)
	}
	r.Write = addDirectories(r.Write, c.Audit.File, c.Audit.Anchor, c.JWKS.File, c.Budgets.File, c.Operator.Socket)
	for _, to := range c.Audit.Ship {
		r = r.shipping(to)
	}
	r = r.shared(c.Budgets.Shared)
	for _, listener := range c.Listen {
		r.Write = addDirectories(r.Write, listener.Socket)
		if k := listener.Kubernetes; k != nil {
			for _, static := range k.AlsoPublish {
				r.Read = addDirectories(r.Read, static.File)
			}
		}
	}
	return r.tidy()
}

// shipping adds what shipping the audit log reads. Landlock does not restrict
// connections to sockets and servers.
func (r Rules) shipping(to config.Ship) Rules {
	if s := to.Syslog; s != nil {
		r.Read = addDirectories(r.Read, s.CA, s.Cert, s.Key)
	}
	if o := to.OTLP; o != nil {
		r.Read = addDirectories(r.Read, o.CA, o.Cert, o.Key)
	}
	return r
}

// shared adds what connecting to the fleet's server reads.
func (r Rules) shared(s *config.Shared) Rules {
	if s == nil {
		return r
	}
	secrets := []*config.Secret{&s.FleetKey, s.Password}
	if s.Sentinel != nil {
		secrets = append(secrets, s.Sentinel.Password)
	}
	for _, secret := range secrets {
		if secret == nil {
			continue
		}
		r.Read = addDirectories(r.Read, secret.File)
		if len(secret.Command) > 0 {
			r.Read = addDirectories(r.Read, secret.Command[0])
		}
	}
	if t := s.TLS; t != nil {
		r.Read = addDirectories(r.Read, t.CA, t.Cert, t.Key)
	}
	return r
}

// Worker returns the rules for a worker: system files, the module, the PIN, and
// the module's state.
func Worker(c *config.Config) Rules {
	r := Rules{Read: append(system(), c.Sandbox.Read...), Write: append(moduleState(), c.Sandbox.Write...)}
	if program, err := os.Executable(); err == nil {
		r.Read = append(r.Read, program)
	}
	for _, token := range c.HSM.All() {
		r.Read = addDirectories(r.Read, token.Module, token.PIN.File)
		if len(token.PIN.Command) > 0 {
			r.Read = addDirectories(r.Read, token.PIN.Command[0])
		}
		for name, value := range token.Environment {
			r = r.environment(name, value)
		}
	}
	if credentials := os.Getenv("CREDENTIALS_DIRECTORY"); credentials != "" {
		r.Read = append(r.Read, credentials)
	}
	return r.tidy()
}

// MatchesExecutables reports whether c matches callers by executable, which a
// confined process can't see.
func MatchesExecutables(c *config.Config) bool {
	for _, client := range c.Clients {
		if client.Match.Executable != "" || client.Match.ExecutableSHA256 != "" {
			return true
		}
	}
	return false
}
