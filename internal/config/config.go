// Package config reads the daemon's configuration: strict YAML whose errors
// name line and column, say what is wrong and what to do, and come all at once.
//
// The struct tags of the types here are the single source of the rules for one
// setting: name, default, range, allowed words and description. The decoder,
// the JSON Schema (docs/assertd.schema.json) and the reference page
// (docs/configuration.md) are all read from them. What spans several settings
// (a grant names a key set that exists, a lifetime fits its profile) is checked
// afterwards and is reported at its line as well.
//
// The tags are json tags because the configuration has JSON's data model:
// json.Marshal of a Config is again a configuration that Parse accepts.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/assertd/assertd/internal/strictyaml"
	"github.com/assertd/assertd/signer/policy"
)

// MaxSize is the largest configuration file that is read, in bytes. It holds
// some 10,000 clients.
const MaxSize = 4 << 20

// Config is a whole configuration, checked and with every default filled in.
type Config struct {
	HSM      HSM               `json:"hsm" required:"true" doc:"The PKCS#11 token or tokens that hold the keys."`
	Keys     map[string]KeySet `json:"keys,omitzero" doc:"The key sets by name. A name is up to 64 letters, digits, dots, hyphens and underscores."`
	Clients  []Client          `json:"clients,omitzero" doc:"Who may have what signed. A caller that no client matches gets nothing."`
	Listen   []Listener        `json:"listen,omitzero" doc:"The sockets that callers use. Sockets that systemd hands over are named here too."`
	JWKS     JWKS              `json:"jwks,omitzero" doc:"How the public keys are published."`
	Audit    Audit             `json:"audit,omitzero" doc:"The tamper-evident record of every decision."`
	Metrics  Metrics           `json:"metrics,omitzero" doc:"Prometheus metrics."`
	Tracing  Tracing           `json:"tracing,omitzero" doc:"OpenTelemetry traces of requests. Without it there are none."`
	Operator Operator          `json:"operator,omitzero" doc:"The socket for the people who run the daemon."`
	Budgets  Budgets           `json:"budgets,omitzero" doc:"Where spent rate budgets are kept over a restart."`
	Log      Log               `json:"log,omitzero" doc:"The daemon's own log, on standard error."`
	Verify   Verify            `json:"verify" default:"always" doc:"Whether each signature is verified with the public key before it leaves, or a sample of them."`
	Limits   Limits            `json:"limits,omitzero" doc:"Bounds on what callers may hold open."`
	Sandbox  Sandbox           `json:"sandbox,omitzero" doc:"The daemon's and its workers' own sandbox (Landlock): what they can reach of the file system beside what the configuration names."`

	file     *strictyaml.Document
	accounts Accounts
	policy   []policy.Client          // made by check, which has to resolve users and groups anyway
	lives    map[string]time.Duration // the longest assertion of each key set
}

// Option changes how a configuration is read.
type Option func(*Config)

// WithAccounts replaces the system's users and groups. The default is
// SystemAccounts.
func WithAccounts(a Accounts) Option { return func(c *Config) { c.accounts = a } }

// Load reads the configuration at path. It first refuses a file that anybody
// but root and the daemon's user could have changed (see CheckFile). Errors
// about the content are a *strictyaml.Error.
func Load(path string, options ...Option) (*Config, error) {
	data, err := readTrusted(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the configuration: %w; correct the path, or start from examples/config/minimal.yaml", err)
	}
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return Parse(path, data, options...)
}

// Parse reads a configuration from data; name stands for the file in errors.
// Every mistake of the file is in the one *strictyaml.Error, in the order of the lines.
func Parse(name string, data []byte, options ...Option) (*Config, error) {
	c := &Config{accounts: SystemAccounts()}
	for _, o := range options {
		o(c)
	}
	file, err := strictyaml.Parse(name, data, FileRules("start with hsm: and keys:, as in examples/config/minimal.yaml"))
	if err != nil {
		return nil, err
	}
	c.file = file
	file.Decode(c)
	check(c)
	if err := file.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// At returns file:line:column of the setting at a path such as
// "clients[2].grants[0].key", or of the nearest setting around it that the
// file has.
func (c *Config) At(path string) string {
	if c.file == nil {
		return path
	}
	return c.file.At(path)
}
