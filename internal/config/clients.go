package config

// Client is a name for callers that match, with what they may have signed.
type Client struct {
	Name     string  `json:"name" required:"true" format:"name" doc:"Name of the client in logs, metrics and the audit log."`
	Match    Match   `json:"match,omitzero" doc:"Which callers are this client, as the kernel describes them. All that are given must hold. May be left out only where a listener is bound to the client."`
	InFlight int     `json:"in_flight" default:"64" min:"1" max:"65536" doc:"Requests of this client that may be under way at once."`
	Grants   []Grant `json:"grants" required:"true" doc:"What the client may have signed."`
}

// Match selects callers by what the kernel says about them.
type Match struct {
	User             string  `json:"user,omitzero" doc:"Name of the effective user. Give user or uid."`
	UID              *uint32 `json:"uid,omitempty" doc:"Number of the effective user."`
	Group            string  `json:"group,omitzero" doc:"Name of a group, primary or supplementary. Give group or gid."`
	GID              *uint32 `json:"gid,omitempty" doc:"Number of a group, primary or supplementary."`
	Executable       string  `json:"executable,omitzero" format:"path" doc:"Absolute path of the executable, symbolic links resolved."`
	ExecutableSHA256 string  `json:"executable_sha256,omitzero" format:"sha256" doc:"SHA-256 of the executable, 64 hexadecimal digits in lower case."`
	Unit             string  `json:"unit,omitzero" doc:"systemd unit, such as payments.service."`
	Container        string  `json:"container,omitzero" format:"sha256" doc:"Container id, 64 hexadecimal digits in lower case."`
	Listener         string  `json:"listener,omitzero" format:"path" doc:"Path of the socket that the caller uses; one that listen has."`
}

// Grant is one thing that a client may have signed. A grant on a raw key set
// has name, key, hashes, paddings and rate alone.
type Grant struct {
	Name      string   `json:"name" required:"true" format:"name" doc:"Name of the grant; callers may ask for it."`
	Key       string   `json:"key" required:"true" doc:"The key set that signs."`
	Profile   string   `json:"profile,omitzero" format:"profile" doc:"The kind of receiver, which decides the form of the assertion."`
	ClientID  string   `json:"client_id,omitzero" max:"512" doc:"The client identifier that the receiver gave out."`
	Issuer    string   `json:"issuer,omitzero" max:"512" doc:"The iss claim, for profiles where it is not the client identifier."`
	Subject   string   `json:"subject,omitzero" max:"512" doc:"The sub claim, for profiles where it is not the client identifier."`
	KeyID     string   `json:"key_id,omitzero" max:"512" doc:"A fixed kid, for receivers that give one out. Without it the RFC 7638 thumbprint."`
	Audiences []string `json:"audiences,omitzero" doc:"The audiences, compared byte by byte: no prefixes, no patterns. An empty list allows none."`
	Lifetime  Lifetime `json:"lifetime,omitzero" doc:"How long an assertion is valid."`
	Claims    Claims   `json:"claims,omitzero" doc:"Claims besides the registered ones, which are the daemon's alone."`
	Hashes    []string `json:"hashes,omitzero" enum:"SHA-256,SHA-384,SHA-512,none" doc:"For a raw key set: hashes that this client may have signed. Without it those of the key set."`
	Paddings  []string `json:"paddings,omitzero" enum:"pkcs1v15,pss" doc:"For a raw key set with RSA: paddings that this client may ask for. Without it those of the key set."`
	Rate      []Window `json:"rate,omitzero" doc:"Rate windows; every one of them must have room."`
}

// Lifetime bounds how long an assertion is valid.
type Lifetime struct {
	Default Duration `json:"default,omitzero" min:"1s" max:"366d" doc:"What a request gets that asks for none. Without it what the profile says, or max where that is shorter."`
	Max     Duration `json:"max,omitzero" min:"1s" max:"366d" doc:"The most that a request may ask for. Without it the same as default."`
}

// Claims says which further claims an assertion has.
type Claims struct {
	Allow   map[string]ClaimRule `json:"allow,omitzero" doc:"Claims that the caller may send, each with its allowed values. An empty list allows none."`
	Set     map[string]any       `json:"set,omitzero" doc:"Claims that every assertion has, with these values."`
	Require []string             `json:"require,omitzero" doc:"Allowed claims without which a request is refused."`
	Log     []string             `json:"log,omitzero" doc:"Claims whose values the audit log may hold. Of all others it has the names."`
}
