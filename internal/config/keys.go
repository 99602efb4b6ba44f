package config

import "github.com/assertd/assertd/internal/jose"

// Use says what a key set is for. A raw signature over a digest could forge any
// JWT, and so could a token whose claims kube-apiserver wrote, so no key set
// has two uses.
type Use string

// The uses of a key set.
const (
	UseAssertion  Use = "assertion"
	UseRaw        Use = "raw"
	UseKubernetes Use = "kubernetes"
)

func (Use) Words() []string {
	return []string{string(UseAssertion), string(UseRaw), string(UseKubernetes)}
}

// Algorithm is a JWS algorithm; for a raw key set it says the type of its keys.
type Algorithm string

func (Algorithm) Words() []string { return jose.Names() }

func (a Algorithm) kind() jose.Kind {
	found, _ := jose.Lookup(string(a)) // an unknown one has been refused as it was read
	return found.Kind
}

// Accept is what a key set accepts of its keys besides the default.
type Accept string

// AcceptImported accepts keys that were outside the HSM.
const AcceptImported Accept = "imported"

func (Accept) Words() []string { return []string{string(AcceptImported)} }

// KeySet is a logical key with one or more versions on the token.
type KeySet struct {
	Alg         Algorithm `json:"alg" required:"true" doc:"The algorithm that the key signs with. For use: raw it determines the type of key: ES256 is a P-256 key, RS256 or PS256 an RSA key, and so on."`
	Use         Use       `json:"use" required:"true" doc:"assertion: the daemon builds and signs JWTs. raw: callers sign their own digests, such as for TLS. kubernetes: kube-apiserver has the tokens of service accounts signed. Never two of them, because a raw signature could forge any JWT, and kube-apiserver writes the claims of its tokens."`
	Bits        int       `json:"bits,omitzero" doc:"Size of generated RSA keys: 2048, 3072 or 4096. Default: 3072."`
	Label       string    `json:"label,omitzero" max:"255" doc:"Adopts an existing key by its CKA_LABEL. Versions that assertd generates don't need it."`
	ID          string    `json:"id,omitzero" max:"510" format:"hex" doc:"Adopts an existing key by its CKA_ID, in hexadecimal."`
	Created     string    `json:"created,omitzero" format:"time" doc:"When the adopted key was created, such as 2026-01-31T12:00:00Z; its rotation starts from then. Without it, the key's age is unknown: it counts as the oldest version and is never due for rotation."`
	Accept      Accept    `json:"accept,omitzero" doc:"imported: accepts keys that were once outside the HSM, or whose origin the HSM doesn't report. Someone may have a copy. Without it, such keys never sign."`
	Rotation    Rotation  `json:"rotation,omitzero" doc:"When versions of the key start and stop signing."`
	Rate        []Window  `json:"rate,omitzero" doc:"Rate windows that all grants on this key set share, in addition to their own."`
	Hashes      []string  `json:"hashes,omitzero" enum:"SHA-256,SHA-384,SHA-512,none" doc:"For use: raw: the hashes that callers can use. none is the message itself, for Ed25519. Default: the one in the algorithm's name."`
	Paddings    []string  `json:"paddings,omitzero" enum:"pkcs1v15,pss" doc:"For use: raw with RSA: the paddings that callers can use. Default: pkcs1v15 for RS256, RS384 and RS512, and pss for PS256, PS384 and PS512. TLS 1.3 requires pss."`
	Certificate string    `json:"certificate,omitzero" format:"path" doc:"PEM file with the key's certificate followed by its issuers, for receivers that require x5c or x5t#S256."`
}

// Rotation is the life cycle of a key set's versions; see docs/design.md.
type Rotation struct {
	Every         Duration      `json:"every,omitzero" min:"1h" max:"3660d" doc:"How long a version signs before the next one takes over. Without it, a version signs until another is generated."`
	PublishBefore PublishBefore `json:"publish_before" default:"24h" doc:"How long a new version is published before it signs, so that receivers know it. Use manual for receivers where a person uploads the key: a version then signs once activate lists its kid."`
	KeepAfter     Duration      `json:"keep_after" default:"24h" max:"3660d" doc:"How long a version stays published after the last assertion it signed has expired."`
	Auto          bool          `json:"auto,omitzero" doc:"The daemon generates the next version in time. Without it, the daemon warns, and a person generates it."`
	Activate      []string      `json:"activate,omitzero" doc:"With publish_before: manual: kids of the versions that receivers know, and that can sign."`
	Revoke        []string      `json:"revoke,omitzero" doc:"Kids of versions that no longer sign and are no longer published."`
}

// Window is one rate window. Several can apply at once. It is not a rate.Window
// because the tags and the text of a duration belong to the configuration.
type Window struct {
	Limit int      `json:"limit" required:"true" min:"1" max:"1000000000" doc:"Maximum number of signatures in any period."`
	Per   Duration `json:"per" required:"true" min:"1s" max:"366d" doc:"Length of the period."`
	Burst int      `json:"burst,omitzero" min:"1" max:"1000000000" doc:"Makes the window a token bucket of this size that refills at limit per period, so that short bursts can exceed limit. Without it, no period ever exceeds limit."`
	Scope Scope    `json:"scope" default:"host" doc:"Who shares the window: host for the callers of this daemon, fleet for those of all daemons with the same budgets.shared.prefix."`
}

// Scope is who shares a rate window.
type Scope string

// The scopes.
const (
	ScopeHost  Scope = "host"
	ScopeFleet Scope = "fleet"
)

// Words implements [strictyaml.Enum].
func (Scope) Words() []string { return []string{string(ScopeHost), string(ScopeFleet)} }

// PublishBefore is a duration, or manual.
type PublishBefore struct {
	Manual   bool
	Duration Duration
}

// UnmarshalText reads "manual" or a duration.
func (p *PublishBefore) UnmarshalText(text []byte) error {
	if string(text) == "manual" {
		*p = PublishBefore{Manual: true}
		return nil
	}
	*p = PublishBefore{}
	return p.Duration.UnmarshalText(text)
}

// MarshalText writes what UnmarshalText reads.
func (p PublishBefore) MarshalText() ([]byte, error) {
	if p.Manual {
		return []byte("manual"), nil
	}
	return p.Duration.MarshalText()
}
