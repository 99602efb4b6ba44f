package config

import (
	"time"

	"github.com/assertd/assertd/internal/web"
)

// Listener is one socket for callers.
type Listener struct {
	Socket string `json:"socket" required:"true" format:"path" doc:"Absolute path of the socket, at most 107 bytes."`
	Mode   Mode   `json:"mode" default:"0660" doc:"Permissions of the socket, in octal and in quotes. Anyone who can write can connect."`
	Owner  string `json:"owner,omitzero" doc:"Owner of the socket, by name or ID. Default: the daemon's user."`
	Group  string `json:"group,omitzero" doc:"Group of the socket, by name or ID. Default: the daemon's group."`
	Client string `json:"client,omitzero" doc:"Binds the socket to one client: its callers get only that client's grants."`

	Kubernetes *Kubernetes `json:"kubernetes,omitempty" doc:"Makes this a socket for kube-apiserver (--service-account-signing-endpoint), which speaks gRPC. See docs/kubernetes.md."`

	owner, group *uint32 // the IDs
}

// Kubernetes is a socket on which kube-apiserver has the tokens of service
// accounts signed.
type Kubernetes struct {
	Key           string      `json:"key" required:"true" doc:"The key set that signs. It must have use: kubernetes, and no other socket can use it."`
	Issuer        string      `json:"issuer" required:"true" format:"issuer" doc:"The iss of every token, as kube-apiserver has it (--service-account-issuer). If jwks.listen is set and the URL has a path, its discovery document and JWKS are served at that path."`
	MaxExpiration Duration    `json:"max_expiration" default:"24h" min:"10m" max:"366d" doc:"Maximum lifetime of a token. kube-apiserver learns it and asks for no more."`
	Refresh       Duration    `json:"refresh" default:"5m" min:"10s" max:"24h" doc:"How often kube-apiserver fetches the public keys. In whole seconds. The key set's publish_before must be longer."`
	AlsoPublish   []StaticKey `json:"also_publish,omitzero" doc:"Public keys that verify tokens from before the cluster used assertd."`
}

// StaticKey is a file of public keys that are published for a time.
type StaticKey struct {
	File  string `json:"file" required:"true" format:"path" doc:"PEM file with public keys, such as /etc/kubernetes/pki/sa.pub. It is read at the start."`
	Until string `json:"until" required:"true" format:"time" doc:"When the keys are no longer published, such as 2027-01-31T12:00:00Z: when the last token that they signed has expired."`
}

// End is when the keys are no longer published.
func (s StaticKey) End() time.Time {
	end, err := time.Parse(time.RFC3339, s.Until)
	if err != nil {
		return time.Time{} // can't happen: it was checked
	}
	return end.UTC()
}

// OwnerID returns the UID of the socket's owner, or nil for the daemon's user.
func (l *Listener) OwnerID() *uint32 { return l.owner }

// GroupID returns the GID of the socket's group, or nil for the daemon's group.
func (l *Listener) GroupID() *uint32 { return l.group }

// JWKS says how public keys are published.
type JWKS struct {
	Listen        string            `json:"listen,omitzero" format:"address" doc:"Address and port that serve /.well-known/jwks.json. Without it, nothing is served over the network."`
	TLS           *TLS              `json:"tls,omitempty" doc:"Serve HTTPS. Without it, plain HTTP for a reverse proxy."`
	File          string            `json:"file,omitzero" format:"path" doc:"Absolute path of a file that always contains the JWKS."`
	MaxAge        Duration          `json:"max_age" default:"5m" min:"1s" max:"24h" doc:"Maximum time that receivers can cache the JWKS. The max-age of a response is shorter when a change is near."`
	Issuer        string            `json:"issuer,omitzero" format:"issuer" doc:"Issuer identifier, an https URL. If set, /.well-known/openid-configuration is served, for workload identity federation."`
	Proxies       []string          `json:"proxies,omitzero" format:"network" doc:"Addresses and networks of the reverse proxies and load balancers in front of listen. They can have any number of connections; any other address has at most half of them."`
	ClientAddress web.ClientAddress `json:"client_address" default:"connection" doc:"Where the address of a client behind a proxy is: nowhere (connection), in the proxy's PROXY protocol header, version 1 or 2 (proxy-protocol), or in the X-Forwarded-For header (x-forwarded-for). Only proxies are believed. With proxy-protocol their clients share the connections fairly, and each of their connections must start with the header."`
	PerKeySet     bool              `json:"per_key_set,omitzero" doc:"Also serve the JWKS of each key set at its own path, /.well-known/jwks/<key set>.json, for receivers that must not see each other's keys."`
}

// TLS is a listener's certificate and private key, reloaded when they change.
type TLS struct {
	Cert string `json:"cert" required:"true" format:"path" doc:"PEM file with the certificate followed by its issuers."`
	Key  string `json:"key" required:"true" format:"path" doc:"PEM file with the private key, which only the daemon's user can read."`
}

// Sync says when audit records are synced to disk.
type Sync string

// When audit records are synced to disk.
const (
	SyncAlways   Sync = "always"
	SyncInterval Sync = "interval"
	SyncNever    Sync = "never"
)

func (Sync) Words() []string {
	return []string{string(SyncAlways), string(SyncInterval), string(SyncNever)}
}

// Audit says where decisions are recorded.
type Audit struct {
	File            string   `json:"file,omitzero" format:"path" doc:"Absolute path of the log, with one JSON line per decision. Optional only with required: false; then nothing is recorded."`
	Required        bool     `json:"required" default:"true" doc:"Refuse requests whose record can't be written. With false, they are answered and the failure is logged."`
	CheckpointKey   string   `json:"checkpoint_key,omitzero" doc:"Key set that signs the log's checkpoints. It must have use: raw and alg: EdDSA, Ed25519 or ES256, and no grant can use it."`
	CheckpointEvery Duration `json:"checkpoint_every" default:"1m" min:"1s" max:"24h" doc:"How often a checkpoint is signed if there are new records."`
	Sync            Sync     `json:"sync" default:"interval" doc:"When records are synced to disk: always (before each response), at every interval, or never (left to the operating system). A crash of the daemon loses no records in any case; the choice matters when the machine loses power."`
	Interval        Duration `json:"interval" default:"1s" min:"1ms" max:"1m" doc:"Time between syncs with sync: interval."`
	Timeout         Duration `json:"timeout" default:"5s" min:"100ms" max:"1m" doc:"How long a request waits for the log's disk. If the disk does not answer in time, as on a frozen file system, requests are refused with audit-unavailable, the daemon is not ready, and a drain ends without it."`
	MaxSize         Size     `json:"max_size" default:"100MiB" min:"64KiB" max:"1TiB" doc:"Size at which a new file is started."`
	MaxAge          Duration `json:"max_age" default:"24h" min:"1m" max:"366d" doc:"Age at which a new file is started."`

	Origin         string    `json:"origin" default:"assertd/audit" format:"origin" doc:"Name of the log in its checkpoints, and of the keys that sign them. Witnesses know the log by it, so it must be unique: use a domain name of yours and the host, such as example.com/assertd/host1."`
	Anchor         string    `json:"anchor,omitzero" format:"path" doc:"Absolute path of a file that keeps the newest checkpoint. Put it on another file system. The daemon does not start with a log that lacks lines below it."`
	Witnesses      []Witness `json:"witnesses,omitzero" doc:"Witnesses (C2SP tlog-witness) that cosign the checkpoints and notice if the log is rolled back. They require a checkpoint_key with alg: EdDSA or Ed25519."`
	Quorum         int       `json:"quorum,omitzero" min:"1" max:"64" doc:"Number of witnesses that must cosign."`
	QuorumRequired bool      `json:"quorum_required" default:"false" doc:"Sign nothing unless a quorum of witnesses has cosigned within quorum_max_age. Without it, a witness that is away is only a warning and a metric."`
	QuorumMaxAge   Duration  `json:"quorum_max_age" default:"15m" min:"3s" max:"366d" doc:"Maximum age of the quorum's cosignatures with quorum_required. An idle log has its last checkpoint cosigned again at a third of this age."`

	Ship []Ship `json:"ship,omitzero" doc:"Places that get a copy of each line of the log. They never make a decision wait. The file stays the truth."`
}

// Ship is a place that gets each line of the audit log.
type Ship struct {
	Syslog *Syslog `json:"syslog,omitempty" doc:"A syslog daemon or server, which gets each line as a message of RFC 5424."`
	OTLP   *OTLP   `json:"otlp,omitempty" doc:"An OpenTelemetry collector, which gets each line as a log record by OTLP over HTTP, in JSON."`
}

// OTLP is an OpenTelemetry collector.
type OTLP struct {
	Endpoint string `json:"endpoint" required:"true" format:"logs" doc:"URL of the collector for logs, such as https://collector.example.com:4318/v1/logs."`
	CA       string `json:"ca,omitzero" format:"path" doc:"PEM file with the authorities that the collector's certificate may come from. Default: those of the system."`
	Cert     string `json:"cert,omitzero" format:"path" doc:"PEM file with the client certificate, followed by its issuers, if the collector wants one."`
	Key      string `json:"key,omitzero" format:"path" doc:"PEM file with the client certificate's private key, which only the daemon's user can read."`
}

// Syslog is a syslog daemon on this machine, or a server.
type Syslog struct {
	Socket  string `json:"socket,omitzero" format:"path" doc:"Absolute path of the Unix datagram socket of a syslog daemon, such as /dev/log."`
	Address string `json:"address,omitzero" format:"server" doc:"Host and port of a syslog server over TLS (RFC 5425), such as logs.example.com:6514."`
	CA      string `json:"ca,omitzero" format:"path" doc:"PEM file with the authorities that the server's certificate may come from. Default: those of the system."`
	Cert    string `json:"cert,omitzero" format:"path" doc:"PEM file with the client certificate, followed by its issuers, if the server wants one."`
	Key     string `json:"key,omitzero" format:"path" doc:"PEM file with the client certificate's private key, which only the daemon's user can read."`
}

// Witness is a witness of the audit log.
type Witness struct {
	URL       string `json:"url" required:"true" format:"witness" doc:"URL of the witness, without /add-checkpoint."`
	PublicKey string `json:"public_key" required:"true" format:"cosigner" doc:"Public key that verifies its cosignatures, as the witness publishes it: name+hash+base64."`
}

// Metrics says where metrics are served.
type Metrics struct {
	Listen string `json:"listen,omitzero" format:"address" doc:"Address and port of /metrics. Without it, metrics are only on the operator socket."`
}

// Tracing says where OpenTelemetry traces go.
type Tracing struct {
	Endpoint    string `json:"endpoint,omitzero" format:"collector" doc:"URL of a collector that accepts OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces. Without it, nothing is traced."`
	SampleEvery int    `json:"sample_every" default:"1" min:"1" max:"1000000" doc:"Traces one in this many requests. If a request has a traceparent header, the header decides."`
}

// Operator is the socket for status, reload and drain.
type Operator struct {
	Socket string `json:"socket,omitzero" format:"path" doc:"Absolute path of the operator socket, which has mode 0600. Without it, there is none."`
}

// Budgets says where rate budgets are saved, and what a fleet shares.
type Budgets struct {
	File string `json:"file,omitzero" format:"path" doc:"Absolute path of a file that keeps the usage of rate windows of a minute or longer. Without it, a restart resets all budgets."`

	Shared *Shared `json:"shared,omitempty" doc:"Valkey or Redis server that the daemons of a fleet share. See docs/fleet.md."`
}

// Level is a log level.
type Level string

func (Level) Words() []string { return []string{"debug", "info", "warn", "error"} }

// Format is the form of log lines.
type Format string

func (Format) Words() []string { return []string{"text", "json"} }

// Log configures the daemon's own log.
type Log struct {
	Level  Level  `json:"level" default:"info" doc:"Minimum level to log."`
	Format Format `json:"format" default:"text" doc:"text for people, or json."`
}

// Verify says which signatures are verified before they are returned.
type Verify string

// The ways to verify.
const (
	VerifyAlways  Verify = "always"
	VerifySampled Verify = "sampled"
)

func (Verify) Words() []string { return []string{string(VerifyAlways), string(VerifySampled)} }

// Limits limit what callers can hold open. The limits on a request itself are
// fixed: they are part of the API.
type Limits struct {
	Connections   int      `json:"connections" default:"1024" min:"1" max:"65536" doc:"Maximum number of open connections. The process's limit on file descriptors can lower it; the daemon then warns when it starts."`
	HeaderTimeout Duration `json:"header_timeout" default:"5s" min:"100ms" max:"1m" doc:"How long a caller can take to send a request."`
	IdleTimeout   Duration `json:"idle_timeout" default:"2m" min:"1s" max:"1h" doc:"How long an idle connection is kept open."`
	DrainTimeout  Duration `json:"drain_timeout" default:"10s" min:"1s" max:"5m" doc:"How long in-flight requests can take to finish when the daemon stops."`
}
