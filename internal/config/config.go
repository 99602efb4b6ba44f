// Package config reads the daemon's configuration: strict YAML whose errors
// have a line and column, say what is wrong and how to fix it, and are reported
// all at once.
//
// The struct tags of the types here are the only source for the rules of one
// setting: its name, default, range, allowed values and description. The
// decoder, the JSON Schema (docs/assertd.schema.json) and the reference page
// (docs/configuration.md) all come from them. Rules that span several settings
// (a grant's key set must exist, a lifetime must fit the profile) are checked
// afterwards and reported at their line as well.
//
// The tags are json tags because the configuration has JSON's data model:
// json.Marshal of a Config is a configuration that Parse accepts.
package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/assertd/assertd/internal/strictyaml"
	"github.com/assertd/assertd/internal/trustpath"
	"github.com/assertd/assertd/signer/policy"
)

// MaxSize is the maximum size of a configuration file, in bytes. It has room
// for about 10,000 clients.
const MaxSize = 4 << 20

// Config is a complete, valid configuration with every default filled in.
type Config struct {
	HSM      HSM               `json:"hsm" required:"true" doc:"The PKCS#11 token or tokens that hold the keys."`
	Keys     map[string]KeySet `json:"keys,omitzero" doc:"The key sets, by name. A name has up to 64 letters, digits, dots, hyphens and underscores."`
	Clients  []Client          `json:"clients,omitzero" doc:"Who can have what signed. A caller that matches no client gets nothing."`
	Listen   []Listener        `json:"listen,omitzero" doc:"The sockets that callers use, including those that systemd passes."`
	JWKS     JWKS              `json:"jwks,omitzero" doc:"How public keys are published."`
	Audit    Audit             `json:"audit,omitzero" doc:"The tamper-evident record of every decision."`
	Metrics  Metrics           `json:"metrics,omitzero" doc:"Prometheus metrics."`
	Tracing  Tracing           `json:"tracing,omitzero" doc:"OpenTelemetry traces of requests. Off by default."`
	Operator Operator          `json:"operator,omitzero" doc:"The socket for operators of the daemon."`
	Budgets  Budgets           `json:"budgets,omitzero" doc:"Where rate budgets are saved across restarts, and what the daemons of a fleet share."`
	Log      Log               `json:"log,omitzero" doc:"The daemon's own log, which goes to standard error."`
	Verify   Verify            `json:"verify" default:"always" doc:"Whether every signature, or a sample, is verified with the public key before it is returned."`
	Limits   Limits            `json:"limits,omitzero" doc:"Limits on what callers can hold open."`
	Paths    Paths             `json:"paths,omitzero" doc:"What the daemon requires of the files and directories that it trusts."`
	Sandbox  Sandbox           `json:"sandbox,omitzero" doc:"The sandbox of the daemon and its workers: what they can reach besides the files that the configuration names."`

	sections     map[string]string // file:line:column of each top-level setting
	accounts     Accounts
	user         uint32                   // that the daemon runs as; 0 for the process's own
	policy       []policy.Client          // built by check, which must resolve users and groups anyway
	maxLifetimes map[string]time.Duration // of assertions, by key set
	certified    map[string]bool          // key sets with a grant whose profile needs a certificate
}

// Option changes how a configuration is read.
type Option func(*Config)

// WithAccounts replaces the system's users and groups. The default is
// SystemAccounts.
func WithAccounts(a Accounts) Option { return func(c *Config) { c.accounts = a } }

// WithUser names the user that the daemon runs as. It is for commands that
// another user runs.
func WithUser(uid uint32) Option { return func(c *Config) { c.user = uid } }

// Load reads the configuration at path. It refuses a file that anyone but root
// and the daemon's user could have changed; that error is a
// [trustpath.ErrUntrusted]. paths.accept does not apply to it. Errors about the
// content are a *strictyaml.Error.
func Load(path string, options ...Option) (*Config, error) {
	var trust Config
	for _, o := range options {
		o(&trust)
	}
	data, err := read(path, trust.Trust())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the configuration: %w; correct the path, or start from examples/config/minimal.yaml", err)
	}
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return Parse(path, data, options...)
}

// read reads one byte more than the maximum, which Parse refuses.
func read(path string, trust trustpath.Rules) ([]byte, error) {
	f, err := trust.Open(path, trustpath.File)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxSize+1))
}

// Parse reads a configuration from data; name stands for the file in errors.
// Every mistake in the file is in one *strictyaml.Error, in line order.
func Parse(name string, data []byte, options ...Option) (*Config, error) {
	c := &Config{accounts: SystemAccounts()}
	for _, o := range options {
		o(c)
	}
	file, err := strictyaml.Parse(name, data, FileRules("start with hsm: and keys:, as in examples/config/minimal.yaml"))
	if err != nil {
		return nil, err
	}
	file.Decode(c)
	check(c, file)
	if err := file.Err(); err != nil {
		return nil, err
	}
	c.sections = file.Sections()
	return c, nil
}

// At returns file:line:column of a top-level setting such as "audit", or of the
// top of the file if it doesn't have the setting. It has only those places: to
// keep the whole file would take many times the memory of the configuration.
func (c *Config) At(section string) string {
	for _, name := range []string{section, ""} {
		if at, ok := c.sections[name]; ok {
			return at
		}
	}
	return section
}
