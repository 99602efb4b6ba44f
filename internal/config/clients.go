package config

// Client names a group of callers and says what they can have signed.
type Client struct {
	Name     string  `json:"name" required:"true" format:"name" doc:"Name of the client in logs, metrics and the audit log."`
	Match    Match   `json:"match,omitzero" doc:"Which callers are this client, as the kernel describes them. Every selector must match. Optional only if a listener is bound to the client."`
	InFlight int     `json:"in_flight" default:"64" min:"1" max:"65536" doc:"Maximum number of this client's requests in flight."`
	Grants   []Grant `json:"grants" required:"true" doc:"What the client can have signed."`
}

// Match selects callers by what the kernel reports about them.
type Match struct {
	User             string  `json:"user,omitzero" doc:"Name of the effective user. Set user or uid."`
	UID              *uint32 `json:"uid,omitempty" doc:"ID of the effective user."`
	Group            string  `json:"group,omitzero" doc:"Name of a primary or supplementary group. Set group or gid."`
	GID              *uint32 `json:"gid,omitempty" doc:"ID of a primary or supplementary group."`
	Executable       string  `json:"executable,omitzero" format:"path" doc:"Absolute path of the executable, with symbolic links resolved."`
	ExecutableSHA256 string  `json:"executable_sha256,omitzero" format:"sha256" doc:"SHA-256 of the executable, 64 lowercase hexadecimal digits."`
	Unit             string  `json:"unit,omitzero" doc:"systemd unit, such as payments.service."`
	Container        string  `json:"container,omitzero" format:"sha256" doc:"Container ID, 64 lowercase hexadecimal digits."`
	Listener         string  `json:"listener,omitzero" format:"path" doc:"Path of the socket that the caller uses; it must be one under listen."`
}

// Grant is one thing that a client can have signed. A grant on a raw key set
// has only name, key, hashes, paddings and rate, one on a Kubernetes key set
// only name, key, kubernetes and rate.
type Grant struct {
	Name       string            `json:"name" required:"true" format:"name" doc:"Name of the grant. Callers can request it by this name."`
	Key        string            `json:"key" required:"true" doc:"The key set that signs."`
	Profile    string            `json:"profile,omitzero" format:"profile" doc:"The kind of receiver, which determines the form of the assertion."`
	ClientID   string            `json:"client_id,omitzero" max:"512" doc:"The client identifier that the receiver issued."`
	Issuer     string            `json:"issuer,omitzero" max:"512" doc:"The iss claim, for profiles where it is not the client identifier."`
	Subject    string            `json:"subject,omitzero" max:"512" doc:"The sub claim, for profiles where it is not the client identifier."`
	KeyID      string            `json:"key_id,omitzero" max:"512" doc:"A fixed kid, for receivers that assign one. Default: the RFC 7638 thumbprint."`
	Audiences  []string          `json:"audiences,omitzero" doc:"The allowed audiences. They are compared byte by byte, with no prefixes or patterns. An empty list allows none."`
	Lifetime   Lifetime          `json:"lifetime,omitzero" doc:"How long an assertion is valid."`
	NotBefore  NotBefore         `json:"not_before,omitzero" doc:"For receivers whose clock is behind: how far iat and nbf are in the past, or none to leave nbf out. Default: the profile's."`
	Claims     Claims            `json:"claims,omitzero" doc:"Claims other than the registered ones, which only the daemon sets."`
	Hashes     []string          `json:"hashes,omitzero" enum:"SHA-256,SHA-384,SHA-512,none" doc:"For a raw key set: the hashes that this client can use. Default: those of the key set."`
	Paddings   []string          `json:"paddings,omitzero" enum:"pkcs1v15,pss" doc:"For a raw RSA key set: the paddings that this client can use. Default: those of the key set."`
	Kubernetes *KubernetesTokens `json:"kubernetes,omitempty" doc:"For a key set with use: kubernetes: the tokens that kube-apiserver can have signed."`
	Rate       []Window          `json:"rate,omitzero" doc:"Rate windows. A request must fit in all of them."`
}

// KubernetesTokens says which tokens of service accounts can be signed.
type KubernetesTokens struct {
	ServiceAccounts []string            `json:"service_accounts" required:"true" doc:"The service accounts that can have tokens: namespace/name, namespace/* for all of a namespace, or \"*\" for all."`
	Audiences       []string            `json:"audiences" required:"true" doc:"The audiences that tokens can have, byte by byte, or \"*\" for all that are not under reserved. The API server's own (--api-audiences) is one of them. An empty list allows only those under reserved."`
	Reserved        map[string][]string `json:"reserved,omitzero" doc:"Audiences that only some service accounts can have, such as sts.amazonaws.com, each with the service accounts, written as above."`
}

// Lifetime limits how long an assertion is valid.
type Lifetime struct {
	Default Duration `json:"default,omitzero" min:"1s" max:"366d" doc:"Lifetime if the request doesn't set one. Default: the profile's, or max if that is shorter."`
	Max     Duration `json:"max,omitzero" min:"1s" max:"366d" doc:"Maximum lifetime that a request can set. Default: the same as default."`
}

// Claims says which additional claims an assertion has.
type Claims struct {
	Allow   map[string]ClaimRule `json:"allow,omitzero" doc:"Claims that the caller can set, each with its allowed values. An empty list allows none."`
	Set     map[string]any       `json:"set,omitzero" doc:"Claims that every assertion has, with their values."`
	Require []string             `json:"require,omitzero" doc:"Allowed claims that a request must set."`
	Log     []string             `json:"log,omitzero" doc:"Claims whose values go into the audit log. For all others, it records only the names."`
}
