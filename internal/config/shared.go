package config

import (
	"net"
	"path/filepath"
	"strings"

	"github.com/assertd/assertd/internal/strictyaml"
)

// Shared is the Valkey or Redis server that the daemons of a fleet share.
type Shared struct {
	Addresses []string   `json:"addresses" required:"true" format:"server" doc:"Host and port of the server, such as valkey.example.com:6379. With cluster: some of its nodes. With sentinel: the sentinels."`
	Cluster   bool       `json:"cluster,omitzero" doc:"The server is a cluster. All keys of a prefix are on one of its shards."`
	Sentinel  *Sentinel  `json:"sentinel,omitempty" doc:"Sentinels say which server is the primary now."`
	TLS       *ClientTLS `json:"tls,omitempty" doc:"Connect with TLS. Required unless every address is on this machine. tls: {ca: PATH} for a private authority."`
	User      string     `json:"user,omitzero" max:"255" doc:"User at the server (ACL). Default: the server's default user."`
	Password  *Secret    `json:"password,omitempty" doc:"Where the user's password comes from. It is read for each new connection, so a new password needs no restart."`
	FleetKey  Secret     `json:"fleet_key" required:"true" doc:"Where the key comes from with which the daemons prove to each other who wrote an entry. It is the same on all daemons, and the server never gets it. At least 32 characters, such as from openssl rand -hex 32."`
	Prefix    string     `json:"prefix" default:"assertd" format:"name" doc:"Beginning of the names of all keys at the server. Daemons with one prefix are one fleet."`
	Deadline  Duration   `json:"deadline" default:"50ms" min:"1ms" max:"5s" doc:"How long a request waits for the server if the daemon has leased nothing of a budget with scope: fleet. After that, on_loss decides."`
	OnLoss    OnLoss     `json:"on_loss" default:"refuse" doc:"What becomes of a budget with scope: fleet when the server is away and the daemon has used up what it leased: refuse, or host for this host's own share of the limit."`
}

// Sentinel says how to find the primary server.
type Sentinel struct {
	Master   string  `json:"master" required:"true" max:"255" doc:"Name of the primary in the sentinels' configuration (sentinel monitor NAME)."`
	User     string  `json:"user,omitzero" max:"255" doc:"User at the sentinels. Default: their default user."`
	Password *Secret `json:"password,omitempty" doc:"Where the password for the sentinels comes from. It is read when the daemon starts."`
}

// ClientTLS says how to connect with TLS.
type ClientTLS struct {
	CA   string `json:"ca,omitzero" format:"path" doc:"PEM file with the authorities that the server's certificate may come from. Default: those of the system."`
	Cert string `json:"cert,omitzero" format:"path" doc:"PEM file with the client certificate, followed by its issuers, if the server wants one."`
	Key  string `json:"key,omitzero" format:"path" doc:"PEM file with the client certificate's private key, which only the daemon's user can read."`
}

// Secret says where a secret is read from. Exactly one source is set.
type Secret struct {
	File       string   `json:"file,omitzero" format:"path" doc:"Absolute path of a file that only the daemon's user can read."`
	Credential string   `json:"credential,omitzero" doc:"Name of a systemd credential (LoadCredential=, LoadCredentialEncrypted=)."`
	Command    []string `json:"command,omitzero" doc:"Program and arguments, run without a shell, that print the secret to standard output."`
}

// HowToWrite is the advice for a secret in the configuration itself.
func (Secret) HowToWrite() string {
	return "don't write the secret here: put it in a file that only the daemon's user can read, and set {file: PATH}"
}

func (Secret) amendSchema(schema object) { schema["minProperties"], schema["maxProperties"] = 1, 1 }

func (Shared) amendSchema(schema object) {
	schema["not"] = object{"required": []string{"cluster", "sentinel"}, "properties": object{"cluster": object{"const": true}}}
	schema["properties"].(object)["addresses"].(object)["minItems"] = 1
}

// OnLoss is what becomes of the fleet's budgets without the server.
type OnLoss string

// What becomes of the fleet's budgets without the server.
const (
	OnLossRefuse OnLoss = "refuse"
	OnLossHost   OnLoss = "host"
)

// Words implements [strictyaml.Enum].
func (OnLoss) Words() []string { return []string{string(OnLossRefuse), string(OnLossHost)} }

func (c *checker) shared() {
	s, path := c.Budgets.Shared, "budgets.shared"
	if s == nil {
		return
	}
	switch {
	case len(s.Addresses) == 0:
		c.fault(path+".addresses", "addresses is empty; add the host and port of the server, such as valkey.example.com:6379")
	case s.Cluster && s.Sentinel != nil:
		c.fault(path+".sentinel", "cluster and sentinel are both set; keep one: a cluster elects its primaries itself")
	case !s.Cluster && s.Sentinel == nil && len(s.Addresses) > 1:
		c.fault(path+".addresses", "a single server has one address; keep one, or set cluster: true or sentinel: {master: NAME}")
	}
	c.encrypted(path, s)
	c.secret(path+".fleet_key", s.FleetKey)
	c.login(path, s.User, s.Password)
	if s.Sentinel != nil {
		c.login(path+".sentinel", s.Sentinel.User, s.Sentinel.Password)
	}
}

// encrypted refuses a server elsewhere without TLS.
func (c *checker) encrypted(path string, s *Shared) {
	if s.TLS != nil {
		c.clientCertificate(path+".tls", s.TLS.Cert, s.TLS.Key)
		return
	}
	for i, address := range s.Addresses {
		if host, _, err := net.SplitHostPort(address); err == nil && !isLocalHost(host) {
			c.fault(strictyaml.Item(path+".addresses", i), "the password would go over the network unencrypted, and anyone on the way could change budgets; add tls: {ca: PATH}, or use a server on this machine")
			return
		}
	}
}

// login refuses a user without a password. A password without a user is the
// default user's.
func (c *checker) login(path, user string, password *Secret) {
	if password != nil {
		c.secret(path+".password", *password)
	} else if user != "" {
		c.fault(path+".user", "%s.user has no password; add password: {file: PATH}", path)
	}
}

// secret checks that a secret has exactly one source. No message contains its
// value.
func (c *checker) secret(path string, s Secret) {
	sources := 0
	for _, given := range []bool{s.File != "", s.Credential != "", s.Command != nil} {
		if given {
			sources++
		}
	}
	switch {
	case sources == 0:
		c.fault(path, "%s has no source; set one of file: PATH, credential: NAME or command: [PROGRAM, ARGUMENT]", path)
	case sources > 1:
		c.fault(path, "%s has %d sources; keep one of file, credential or command", path, sources)
	default:
		c.source(path, s.Credential, s.Command)
	}
}

// source checks the command or the credential that a secret comes from.
func (c *checker) source(path, credential string, command []string) {
	switch {
	case command != nil && (len(command) == 0 || !filepath.IsAbs(command[0])):
		c.fault(path+".command", "%s.command must start with the absolute path of a program; it runs without a shell or PATH", path)
	case strings.Contains(credential, "/") || credential == "." || credential == "..":
		c.fault(path+".credential", "%s.credential must be the name of a systemd credential, not a path; for a path, use file", path)
	}
}
