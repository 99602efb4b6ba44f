package ipc

import "time"

// StatusResponse answers GET /v1/status on the operator's socket. Times that
// are unknown, or that will not come, are left out.
type StatusResponse struct {
	Version string    `json:"version"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	Now     time.Time `json:"now"` // the daemon's clock

	Ready     ReadyResponse    `json:"ready"`
	Tokens    []TokenStatus    `json:"tokens"`
	Keys      []KeySetStatus   `json:"keys"`
	Listeners []ListenerStatus `json:"listeners"`

	Connections     int `json:"connections"`
	ConnectionLimit int `json:"connection_limit"`

	JWKS   JWKSStatus   `json:"jwks"`
	Audit  *AuditStatus `json:"audit,omitempty"` // absent if there is no audit log
	Reload ReloadStatus `json:"reload"`

	// PolicyDigest is the SHA-256 of the clients and key sets in force, in hex.
	// It is the same on daemons that have the same.
	PolicyDigest string `json:"policy_digest"`

	Freeze FreezeStatus `json:"freeze"`

	Store         *StoreStatus   `json:"store,omitempty"`          // absent without budgets.shared
	SharedBudgets *SharedBudgets `json:"shared_budgets,omitempty"` // as well

	Sandbox SandboxStatus `json:"sandbox"`

	Clients []ClientStatus `json:"clients"`
	// Unmatched counts the refusals of requests that matched no client, by code.
	Unmatched []CodeCount `json:"unmatched,omitempty"`
}

// TokenStatus is a token with its workers.
type TokenStatus struct {
	Name    string         `json:"name"`
	PIN     PINStatus      `json:"pin"`
	Workers []WorkerStatus `json:"workers"`
}

// PINStatus says whether a token takes its PIN, and what to do if it doesn't.
type PINStatus struct {
	State   string    `json:"state"`             // one of PINStates
	Since   time.Time `json:"since,omitzero"`    // since when
	Remedy  string    `json:"remedy,omitempty"`  // what an operator must do
	RetryAt time.Time `json:"retry_at,omitzero"` // when the daemon looks at a locked token again
}

// Warning returns the warning of a ReadyResponse that the state calls for, or
// "".
func (s PINStatus) Warning() string {
	switch s.State {
	case PINRefused:
		return WarningPINRefused
	case PINLocked:
		return WarningPINLocked
	case PINFinalTry:
		return WarningPINFinalTry
	case PINCountLow:
		return WarningPINCountLow
	}
	return ""
}

// States of a PIN.
const (
	PINUnknown  = "unknown"   // no worker has logged in yet
	PINOK       = "ok"        // the token takes it
	PINCountLow = "count-low" // the token reports wrong PINs since the last login
	PINFinalTry = "final-try" // one more wrong PIN locks the token, so it isn't tried unless asked
	PINRefused  = "refused"   // the token refused it, so it isn't tried until it changes
	PINLocked   = "locked"    // the token takes no PIN; the daemon looks again after some minutes
)

// PINStates lists the states of a PIN.
func PINStates() []string {
	return []string{PINUnknown, PINOK, PINCountLow, PINFinalTry, PINRefused, PINLocked}
}

// WorkerStatus is one worker process.
type WorkerStatus struct {
	WorkerState
	PID      int       `json:"pid,omitempty"`
	Since    time.Time `json:"since,omitzero"`
	Restarts int       `json:"restarts"`        // processes that became ready after one had failed
	InFlight int       `json:"in_flight"`       // requests that it is working on
	Error    string    `json:"error,omitempty"` // why the last process exited or did not start
}

// ListenerStatus is one of the callers' sockets.
type ListenerStatus struct {
	Socket string `json:"socket"`
	Client string `json:"client,omitempty"` // the client that the socket is bound to
	// Kubernetes is set for the socket of a kube-apiserver.
	Kubernetes *KubernetesStatus `json:"kubernetes,omitempty"`
}

// KubernetesStatus is an issuer of Kubernetes tokens.
type KubernetesStatus struct {
	Issuer               string      `json:"issuer"`
	Key                  string      `json:"key"` // key set that signs
	MaxExpirationSeconds int64       `json:"max_expiration_seconds"`
	RefreshSeconds       int64       `json:"refresh_seconds"` // how often kube-apiserver fetches the keys
	Keys                 []IssuerKey `json:"keys"`            // that verify tokens now
	Error                string      `json:"error,omitempty"` // why kube-apiserver gets no keys
}

// IssuerKey is a public key that verifies an issuer's tokens.
type IssuerKey struct {
	Kid   string    `json:"kid"`
	Alg   string    `json:"alg"`
	Until time.Time `json:"until,omitzero"` // when a key of also_publish is no longer published
}

// JWKSStatus is the state of publishing.
type JWKSStatus struct {
	Published time.Time `json:"published,omitzero"` // when publishing last succeeded; zero for never
	Keys      int       `json:"keys"`               // how many keys it published then
	Digest    string    `json:"digest,omitempty"`   // SHA-256 of the JWKS with these keys, in hex
	Error     string    `json:"error,omitempty"`    // why a later attempt failed; empty if none did
}

// AuditStatus is the state of the audit log.
type AuditStatus struct {
	File            string    `json:"file"`
	Error           string    `json:"error,omitempty"` // why records can't be written
	Since           time.Time `json:"since,omitzero"`  // since when
	Refused         int64     `json:"refused"`         // records that could not be written
	Records         int64     `json:"records"`         // since the daemon started
	Lines           int64     `json:"lines"`           // in all files of the log
	Bytes           int64     `json:"bytes"`           // in the current file
	Pending         int       `json:"pending"`
	Unchecked       bool      `json:"unchecked,omitempty"` // lines from before the start are still being verified
	UnsyncedSince   time.Time `json:"unsynced_since,omitzero"`
	CheckpointKey   string    `json:"checkpoint_key,omitempty"` // key set; empty if the log has no checkpoints
	CheckpointLines int64     `json:"checkpoint_lines"`         // covered by the newest checkpoint
	CheckpointTime  time.Time `json:"checkpoint_time,omitzero"`
	CheckpointError string    `json:"checkpoint_error,omitempty"`
	AnchorError     string    `json:"anchor_error,omitempty"` // why the newest checkpoint is not in the anchor

	Witnesses      []WitnessStatus `json:"witnesses,omitempty"`
	Quorum         int             `json:"quorum,omitempty"`          // how many of them must cosign
	QuorumTime     time.Time       `json:"quorum_time,omitzero"`      // when so many had last cosigned
	WitnessedLines int64           `json:"witnessed_lines,omitempty"` // cosigned by so many since the daemon started

	Ship []ShipStatus `json:"ship,omitempty"`
}

// ShipStatus is the state of a place that the audit log is shipped to.
type ShipStatus struct {
	Destination string    `json:"destination"`
	Lines       int64     `json:"lines"`           // number of the first line that has not arrived
	Pending     int64     `json:"pending"`         // lines that have not arrived
	Oldest      time.Time `json:"oldest,omitzero"` // when the oldest of them was written; zero if none
	Missing     int64     `json:"missing"`         // since the daemon started: removed or damaged before they were shipped, or rejected
	Error       string    `json:"error,omitempty"` // why nothing arrives
}

// WitnessStatus is the state of a witness of the audit log.
type WitnessStatus struct {
	Name  string    `json:"name"`
	URL   string    `json:"url"`
	Lines int64     `json:"lines"`           // that it has cosigned since the daemon started
	Time  time.Time `json:"time,omitzero"`   // when it last cosigned
	Error string    `json:"error,omitempty"` // why it did not cosign the newest checkpoint
}

// ReloadStatus says when the configuration was last loaded or refused.
type ReloadStatus struct {
	Success time.Time `json:"success"` // at the start, or at the last reload that took effect
	Failure time.Time `json:"failure,omitzero"`
	Error   string    `json:"error,omitempty"` // of the last reload; empty if it took effect
}

// ClientStatus counts a client's requests since the daemon started.
type ClientStatus struct {
	Name     string        `json:"name"`
	Grants   []GrantStatus `json:"grants"`
	Refusals []CodeCount   `json:"refusals,omitempty"`
	Failures []CodeCount   `json:"failures,omitempty"`
}

// GrantStatus is one grant of a client.
type GrantStatus struct {
	Name     string       `json:"name"`
	Key      string       `json:"key"`
	Use      string       `json:"use"`      // UseAssertion, UseRaw or UseKubernetes
	Released uint64       `json:"released"` // signatures that callers received
	Budgets  []BudgetInfo `json:"budgets,omitempty"`
}

// CodeCount says how many requests ended with a code.
type CodeCount struct {
	Code  Code   `json:"code"`
	Count uint64 `json:"count"`
}

// ReloadResponse answers POST /v1/reload and POST /v1/retry-pin.
type ReloadResponse struct {
	Reloaded bool `json:"reloaded"`
}

// ReopenResponse answers POST /v1/reopen-logs.
type ReopenResponse struct {
	Reopened bool `json:"reopened"`
}

// DrainResponse answers POST /v1/drain.
type DrainResponse struct {
	Draining bool `json:"draining"`
}
