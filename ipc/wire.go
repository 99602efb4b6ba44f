package ipc

import (
	"encoding/json"
	"fmt"

	"github.com/assertd/assertd/ipc/caller"
)

// Limits of the API that callers can rely on; past each the answer is a problem.
const (
	MaxBodyBytes     = 64 << 10 // a request body, in bytes: request-too-large
	MaxBatch         = 64       // requests in one batch: batch-too-large
	MaxAudienceBytes = 512      // an audience, in bytes of UTF-8: malformed-request
	MaxNameBytes     = 256      // the name of a grant or key set, in bytes: malformed-request
	MaxClaimDepth    = 8        // nesting of a claim's value, a scalar being 0: malformed-request
)

// AssertionType is the client_assertion_type of RFC 7523, section 2.2.
const AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// AssertionRequest is the body of POST /v1/assertions. Every member may be left out.
type AssertionRequest struct {
	// Grant names one of the caller's grants; "" where only one fits.
	Grant string `json:"grant,omitempty"`
	// Audience is one of the grant's audiences, byte for byte; "" where it has one.
	Audience string `json:"audience,omitempty"`
	// Claims are added to the assertion if the grant allows each of them. A value
	// is any JSON but null, nested at most MaxClaimDepth deep.
	Claims map[string]json.RawMessage `json:"claims,omitempty"`
	// LifetimeSeconds is the time from iat to exp; 0 asks for the grant's default.
	LifetimeSeconds int64 `json:"lifetime_seconds,omitempty"`
}

// AssertionResponse answers POST /v1/assertions.
type AssertionResponse struct {
	// Assertion is the signed JWT in compact serialisation (RFC 7515, section 7.1).
	Assertion string `json:"assertion"`
	// AssertionType is what an OAuth token request carries as client_assertion_type
	// (or as grant_type, where the profile is an authorization grant). Empty for
	// profiles that OAuth does not know.
	AssertionType string `json:"assertion_type,omitempty"`
	// Send says how the assertion reaches its receiver, one of the Send
	// constants. A client must take one that it does not know for SendCustom.
	Send      string `json:"send,omitempty"`
	Kid       string `json:"kid"`
	Alg       string `json:"alg"`
	JTI       string `json:"jti,omitempty"`
	IssuedAt  int64  `json:"issued_at"`  // iat, seconds since the Unix epoch
	ExpiresAt int64  `json:"expires_at"` // exp, seconds since the Unix epoch
	Grant     string `json:"grant"`
}

// String leaves the assertion out: it works for whoever reads the log.
func (a AssertionResponse) String() string {
	return fmt.Sprintf("assertion [redacted] of grant %s, jti %s", a.Grant, a.JTI)
}

// GoString is String, so that %#v is redacted too.
func (a AssertionResponse) GoString() string { return a.String() }

// Ways in which an assertion is sent, as its profile has it.
const (
	SendClientAssertion  = "client_assertion" // of a token request (RFC 7523, section 2.2)
	SendGrant            = "assertion"        // of a token request (RFC 7523, section 2.1)
	SendTokenExchange    = "subject_token"    // of a token exchange (RFC 8693, section 2.1)
	SendWebIdentity      = "web_identity"     // WebIdentityToken of AWS AssumeRoleWithWebIdentity
	SendBearer           = "bearer"           // in the Authorization header (RFC 6750, section 2.1)
	SendClientSecret     = "client_secret"    // of a token request
	SendDPoP             = "dpop"             // in the DPoP header (RFC 9449, section 4.1)
	SendRequestParameter = "request"          // of an authorization request (RFC 9101, section 5)
	SendCustom           = "custom"           // as the receiver says
)

// BatchRequest is the body of POST /v1/assertions/batch: 1 to MaxBatch requests.
type BatchRequest struct {
	Requests []AssertionRequest `json:"requests"`
}

// BatchResult is the outcome of one request of a batch: exactly one member is set.
type BatchResult struct {
	Assertion *AssertionResponse `json:"assertion,omitempty"`
	Problem   *Problem           `json:"problem,omitempty"`
}

// BatchResponse answers POST /v1/assertions/batch, in the order of the requests.
type BatchResponse struct {
	Results []BatchResult `json:"results"`
}

// Hashes of a SignRequest, spelled as crypto.Hash.String spells them.
const (
	HashSHA256 = "SHA-256"
	HashSHA384 = "SHA-384"
	HashSHA512 = "SHA-512"
	// HashNone marks a digest that is the message itself, as Ed25519 takes it
	// (RFC 8032); at most MaxMessageBytes.
	HashNone = "none"
)

// MaxMessageBytes limits the message of a SignRequest with HashNone. A TLS 1.3
// CertificateVerify, a CSR and an SSH signature all fit.
const MaxMessageBytes = 32 << 10

// Paddings of a SignRequest; left out for keys that are not RSA keys.
const (
	PaddingPKCS1v15 = "pkcs1v15"
	PaddingPSS      = "pss" // the salt is as long as the hash
)

// SignRequest is the body of POST /v1/sign: a raw signature over a digest, for
// key sets with `use: raw`.
type SignRequest struct {
	Key  string `json:"key"`
	Hash string `json:"hash"`
	// Digest is as long as Hash says; standard base64 with padding on the wire.
	Digest  []byte `json:"digest"`
	Padding string `json:"padding,omitempty"`
}

// SignResponse answers POST /v1/sign.
type SignResponse struct {
	// Signature is what crypto.Signer returns for the key: ASN.1 DER for ECDSA,
	// the plain octets for RSA and Ed25519; standard base64 on the wire.
	Signature []byte `json:"signature"`
	Kid       string `json:"kid"`
}

// GrantsResponse answers GET /v1/grants: what this caller may have signed.
type GrantsResponse struct {
	Caller CallerInfo  `json:"caller"`
	Grants []GrantInfo `json:"grants"`
}

// CallerInfo tells the caller who the daemon takes it for. Attributes that no
// client of the configuration asks for are not looked up, and left out.
type CallerInfo struct {
	caller.Caller
	// Clients are the names that the policy gives to this caller.
	Clients []string `json:"clients,omitempty"`
}

// Uses of a grant and of the key set behind it.
const (
	UseAssertion = "assertion"
	UseRaw       = "raw"
)

// GrantInfo describes one grant. The members for assertions are left out of a
// raw grant and the other way round.
type GrantInfo struct {
	Name   string `json:"name"`
	Client string `json:"client"`
	Use    string `json:"use"` // UseAssertion or UseRaw
	Key    string `json:"key"`
	Kid    string `json:"kid,omitempty"` // of the version that signs now
	Alg    string `json:"alg,omitempty"`

	Profile   string      `json:"profile,omitempty"`
	Issuer    string      `json:"issuer,omitempty"`
	Subject   string      `json:"subject,omitempty"`
	Audiences []string    `json:"audiences,omitempty"`
	Lifetime  *Lifetime   `json:"lifetime,omitempty"`
	Claims    *ClaimsInfo `json:"claims,omitempty"`

	Hashes   []string `json:"hashes,omitempty"`
	Paddings []string `json:"paddings,omitempty"`

	Budgets  []BudgetInfo `json:"budgets,omitempty"`
	InFlight int          `json:"in_flight_limit,omitempty"` // requests at once, of the whole client
}

// Lifetime is the default and the cap of a grant's lifetimes.
type Lifetime struct {
	DefaultSeconds int64 `json:"default_seconds"`
	MaxSeconds     int64 `json:"max_seconds"`
}

// ClaimsInfo says which claims a caller may add (Allow), which the daemon sets
// whatever is asked for (Set), and which a request must bring (Require).
type ClaimsInfo struct {
	Allow   map[string]ClaimInfo       `json:"allow,omitempty"`
	Set     map[string]json.RawMessage `json:"set,omitempty"`
	Require []string                   `json:"require,omitempty"`
}

// ClaimInfo describes the values that one claim may have.
type ClaimInfo struct {
	Any    bool              `json:"any,omitempty"`
	Values []json.RawMessage `json:"values,omitempty"`
	Words  bool              `json:"words,omitempty"` // space-separated words, each one of Values
}

// BudgetInfo is one rate window and what is left of it.
type BudgetInfo struct {
	Name         string  `json:"name"` // the grant or key set that the window belongs to
	Limit        int     `json:"limit"`
	PerSeconds   float64 `json:"per_seconds"`
	Burst        int     `json:"burst,omitempty"`
	Remaining    int     `json:"remaining"`
	ResetSeconds float64 `json:"reset_seconds"` // until the whole limit is free again
}

// KeysResponse answers GET /v1/keys: the raw key sets that the caller may use.
type KeysResponse struct {
	Keys []KeyInfo `json:"keys"`
}

// KeyInfo describes the version of a raw key set that signs now.
type KeyInfo struct {
	Key string `json:"key"`
	Kid string `json:"kid"`
	Alg string `json:"alg"`
	// PublicKey is a PEM block "PUBLIC KEY" (RFC 7468, section 13), for
	// x509.ParsePKIXPublicKey.
	PublicKey string `json:"public_key"`
	// Certificates is the key's chain, leaf first, each a PEM block "CERTIFICATE".
	Certificates []string `json:"certificates,omitempty"`
	Hashes       []string `json:"hashes"`
	Paddings     []string `json:"paddings,omitempty"`
}

// HealthResponse answers GET /v1/health: the daemon's front process is alive.
type HealthResponse struct {
	Status  string `json:"status"` // always "ok"
	Version string `json:"version"`
}

// ReadyResponse answers GET /v1/ready, with status 200 when ready and 503 when
// not. A real signature was made and verified before Ready is true.
type ReadyResponse struct {
	Ready bool `json:"ready"`
	// Reason is empty when ready, else one of the Reason constants.
	Reason string `json:"reason,omitempty"`
	// Detail is a sentence for people, with nothing that a caller may not know.
	Detail string `json:"detail,omitempty"`
	// Warnings are what needs an operator though the daemon signs; each is one of
	// the Warning constants, and clients ignore those that they do not know.
	Warnings []string `json:"warnings,omitempty"`
	// Workers are the processes that hold the HSM's module, ready or not: a daemon
	// that has one of them left signs.
	Workers []WorkerState `json:"workers,omitempty"`
}

// WorkerState is what one worker is doing. Why is for the operator's socket:
// see WorkerStatus.
type WorkerState struct {
	Token  string `json:"token"`  // the token's name in the configuration
	Worker int    `json:"worker"` // its place among the token's workers, from 0
	State  string `json:"state"`  // one of WorkerStates
}

// States of a worker.
const (
	WorkerStarting = "starting" // opening the token, or waiting for its turn to
	WorkerReady    = "ready"    // signing
	WorkerWaiting  = "waiting"  // exited; the next start follows
	WorkerRefused  = "refused"  // the token refused the PIN: no start before a reload
	WorkerStopped  = "stopped"  // the daemon is starting or stopping
)

// WorkerStates lists the states of a worker.
func WorkerStates() []string {
	return []string{WorkerStarting, WorkerReady, WorkerWaiting, WorkerRefused, WorkerStopped}
}

// Warnings of a ReadyResponse.
const (
	// WarningReloadRefused: the configuration was changed and refused, and the
	// former one is in force. The daemon's log and the operator's socket say why.
	WarningReloadRefused = "reload-refused"
)

// Reasons of a ReadyResponse.
const (
	ReasonStarting         = "starting"          // no worker has signed yet
	ReasonHSMUnavailable   = "hsm-unavailable"   // no worker reaches its token
	ReasonKeyNotAvailable  = "key-not-available" // a key set has no version that may sign
	ReasonAuditUnavailable = "audit-unavailable" // the audit log can't be written
	ReasonDraining         = "draining"          // the daemon is stopping
)
