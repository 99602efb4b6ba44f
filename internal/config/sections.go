package config

// Listener is one socket for callers.
type Listener struct {
	Socket string `json:"socket" required:"true" format:"path" doc:"Absolute path of the socket, at most 107 bytes."`
	Mode   Mode   `json:"mode" default:"0660" doc:"Permissions of the socket, in octal and in quotes. Who may write may connect."`
	Owner  string `json:"owner,omitzero" doc:"User name or number that owns the socket. Without it the daemon's."`
	Group  string `json:"group,omitzero" doc:"Group name or number of the socket. Without it the daemon's."`
	Client string `json:"client,omitzero" doc:"Binds the socket to one client: its callers get that client's grants and no others."`
}

// JWKS says how the public keys are published.
type JWKS struct {
	Listen    string   `json:"listen,omitzero" format:"address" doc:"Address and port that serve /.well-known/jwks.json. Without it nothing is served over the network."`
	TLS       *TLS     `json:"tls,omitempty" doc:"Serve HTTPS. Without it plain HTTP, for a proxy in front."`
	File      string   `json:"file,omitzero" format:"path" doc:"Absolute path of a file that always holds the JWKS."`
	MaxAge    Duration `json:"max_age" default:"5m" min:"1s" max:"24h" doc:"The longest that receivers may cache the JWKS. The answer's own max-age is shorter when a change is near."`
	Issuer    string   `json:"issuer,omitzero" format:"issuer" doc:"Issuer identifier, an https URL: with it /.well-known/openid-configuration is served, for workload identity federation."`
	PerKeySet bool     `json:"per_key_set,omitzero" doc:"Also serve the JWKS of each key set at a path of its own, /.well-known/jwks/<key set>.json, for receivers that must not see each other's keys."`
}

// TLS is a certificate and its key for a listener, read again when they change.
type TLS struct {
	Cert string `json:"cert" required:"true" format:"path" doc:"PEM file with the certificate and its issuers."`
	Key  string `json:"key" required:"true" format:"path" doc:"PEM file with the private key, which only the daemon's user may read."`
}

// Sync says when audit records are forced to the disk.
type Sync string

// The ways to force audit records to the disk.
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
	File            string   `json:"file,omitzero" format:"path" doc:"Absolute path of the log, one JSON line for each decision. May be left out only with required: false; then nothing is recorded."`
	Required        bool     `json:"required" default:"true" doc:"A request whose record can't be written is refused. With false it is answered and the failure is logged."`
	CheckpointKey   string   `json:"checkpoint_key,omitzero" doc:"Key set that signs the checkpoints of the log. Its use is raw, its algorithm EdDSA, Ed25519 or ES256, and no grant may name it."`
	CheckpointEvery Duration `json:"checkpoint_every" default:"1m" min:"1s" max:"24h" doc:"How often a checkpoint is signed while there are new records."`
	Sync            Sync     `json:"sync" default:"interval" doc:"When records are forced to the disk: always before the answer leaves; every interval; or never, which leaves it to the system. A crash of the daemon loses nothing in any of the three; they differ when the machine loses power."`
	Interval        Duration `json:"interval" default:"1s" min:"1ms" max:"1m" doc:"The interval of sync: interval."`
	MaxSize         Size     `json:"max_size" default:"100MiB" min:"64KiB" max:"1TiB" doc:"Size at which a new file is begun."`
	MaxAge          Duration `json:"max_age" default:"24h" min:"1m" max:"366d" doc:"Age at which a new file is begun."`
}

// Metrics says where metrics are served.
type Metrics struct {
	Listen string `json:"listen,omitzero" format:"address" doc:"Address and port of /metrics. Without it metrics are on the operator's socket alone."`
}

// Tracing says where OpenTelemetry traces go.
type Tracing struct {
	Endpoint    string `json:"endpoint,omitzero" format:"collector" doc:"URL of a collector that takes OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces. Without it nothing is traced."`
	SampleEvery int    `json:"sample_every" default:"1" min:"1" max:"1000000" doc:"Traces one of so many requests. A request with a traceparent header goes by what that says."`
}

// Operator is the socket for status, reload and drain.
type Operator struct {
	Socket string `json:"socket,omitzero" format:"path" doc:"Absolute path of the operator's socket, mode 0600. Without it there is none."`
}

// Budgets says where spent budgets are kept.
type Budgets struct {
	File string `json:"file,omitzero" format:"path" doc:"Absolute path of a file that keeps what is spent of windows of a minute or more. Without it a restart begins with full budgets."`
}

// Level is a log level.
type Level string

func (Level) Words() []string { return []string{"debug", "info", "warn", "error"} }

// Format is the form of log lines.
type Format string

func (Format) Words() []string { return []string{"text", "json"} }

// Log is about the daemon's own log.
type Log struct {
	Level  Level  `json:"level" default:"info" doc:"The least level that is written."`
	Format Format `json:"format" default:"text" doc:"Lines for people, or JSON."`
}

// Verify says which signatures are verified before they leave.
type Verify string

// The ways to verify.
const (
	VerifyAlways  Verify = "always"
	VerifySampled Verify = "sampled"
)

func (Verify) Words() []string { return []string{string(VerifyAlways), string(VerifySampled)} }

// Limits bound what callers may hold open. The limits on a request itself are
// part of the API and fixed.
type Limits struct {
	Connections   int      `json:"connections" default:"1024" min:"1" max:"65536" doc:"Most connections open at once."`
	HeaderTimeout Duration `json:"header_timeout" default:"5s" min:"100ms" max:"1m" doc:"How long a caller may take to send a request."`
	IdleTimeout   Duration `json:"idle_timeout" default:"2m" min:"1s" max:"1h" doc:"How long an idle connection is kept."`
	DrainTimeout  Duration `json:"drain_timeout" default:"10s" min:"1s" max:"5m" doc:"How long requests under way may take to finish when the daemon stops."`
}

// Sandbox is about the files that the daemon's processes can reach. What the
// configuration names they reach anyway.
type Sandbox struct {
	Enforce bool     `json:"enforce" default:"true" doc:"Confine the processes, where the kernel has Landlock. With false they can open whatever their user can."`
	Read    []string `json:"read,omitzero" format:"path" doc:"Files and directories that the PKCS#11 module reads, beside the system's (/usr, /lib, /etc, /opt) and its own directory."`
	Write   []string `json:"write,omitzero" format:"path" doc:"Files and directories that the PKCS#11 module writes. The state of SoftHSM, tpm2-pkcs11 and opencryptoki is known without."`
}
