package ipc

import "time"

// StatusResponse answers GET /v1/status of the operator's socket. Times that are
// not known, or will not come, are left out.
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
	Audit  *AuditStatus `json:"audit,omitempty"` // absent where nothing is recorded
	Reload ReloadStatus `json:"reload"`

	Clients []ClientStatus `json:"clients"`
	// Refusals that policy made before it came to a client, by code.
	Unmatched []CodeCount `json:"unmatched,omitempty"`
}

// TokenStatus is a token with its workers.
type TokenStatus struct {
	Name    string         `json:"name"`
	Workers []WorkerStatus `json:"workers"`
}

// WorkerStatus is one worker process.
type WorkerStatus struct {
	WorkerState
	PID      int       `json:"pid,omitempty"`
	Since    time.Time `json:"since,omitzero"`
	Restarts int       `json:"restarts"`        // processes that became ready after the first
	InFlight int       `json:"in_flight"`       // requests it holds
	Error    string    `json:"error,omitempty"` // why the last process exited or did not start
}

// KeySetStatus is a key set with its versions.
type KeySetStatus struct {
	Name       string          `json:"name"`
	Signing    string          `json:"signing,omitempty"` // kid of the version that signs
	Reason     string          `json:"reason,omitempty"`  // why none does
	NextChange time.Time       `json:"next_change,omitzero"`
	Due        time.Time       `json:"due,omitzero"` // when the next version must have been made
	Late       bool            `json:"late,omitempty"`
	Auto       bool            `json:"auto,omitempty"`    // the daemon makes the next version
	Missing    []string        `json:"missing,omitempty"` // kids under activate that no version has
	Lost       []string        `json:"lost,omitempty"`    // kids that were on the token and are gone
	Versions   []VersionStatus `json:"versions"`
}

// VersionStatus is one version of a key set.
type VersionStatus struct {
	Kid     string    `json:"kid"`
	Label   string    `json:"label,omitempty"`
	Created time.Time `json:"created,omitzero"`
	State   string    `json:"state"` // waiting, published, signing, retiring, retired or revoked
	Since   time.Time `json:"since,omitzero"`
	Next    string    `json:"next,omitempty"` // the state that follows
	NextAt  time.Time `json:"next_at,omitzero"`
}

// ListenerStatus is one of the callers' sockets.
type ListenerStatus struct {
	Socket string `json:"socket"`
	Client string `json:"client,omitempty"` // the client that the socket is bound to
}

// JWKSStatus is how publishing does.
type JWKSStatus struct {
	Published time.Time `json:"published,omitzero"` // last
	Keys      int       `json:"keys"`
	Error     string    `json:"error,omitempty"` // why the last attempt failed
}

// AuditStatus is how the audit log does.
type AuditStatus struct {
	File            string    `json:"file"`
	Error           string    `json:"error,omitempty"` // what stops records
	Since           time.Time `json:"since,omitzero"`  // when it began to
	Refused         int64     `json:"refused"`         // records that could not be written
	Records         int64     `json:"records"`         // since the daemon started
	Lines           int64     `json:"lines"`           // of the whole series
	Bytes           int64     `json:"bytes"`           // of the current file
	Pending         int       `json:"pending"`
	UnsyncedSince   time.Time `json:"unsynced_since,omitzero"`
	CheckpointLines int64     `json:"checkpoint_lines"` // that the newest checkpoint proves
	CheckpointTime  time.Time `json:"checkpoint_time,omitzero"`
	CheckpointError string    `json:"checkpoint_error,omitempty"`
}

// ReloadStatus is when the configuration last changed, or was refused.
type ReloadStatus struct {
	Success time.Time `json:"success"` // at start, or at the last reload that took effect
	Failure time.Time `json:"failure,omitzero"`
	Error   string    `json:"error,omitempty"` // of the last reload; empty if it took effect
}

// ClientStatus is what a client had since the daemon started.
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
	Use      string       `json:"use"`      // UseAssertion or UseRaw
	Released uint64       `json:"released"` // signatures
	Budgets  []BudgetInfo `json:"budgets,omitempty"`
}

// CodeCount is how often a code was the outcome.
type CodeCount struct {
	Code  Code   `json:"code"`
	Count uint64 `json:"count"`
}

// ReloadResponse answers POST /v1/reload.
type ReloadResponse struct {
	Reloaded bool `json:"reloaded"`
}

// DrainResponse answers POST /v1/drain.
type DrainResponse struct {
	Draining bool `json:"draining"`
}
