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

// KeySetStatus is a key set with its versions and its schedule at one moment.
type KeySetStatus struct {
	Name string `json:"name"`
	// Signing is the kid of the one version that signs, empty where none may;
	// Reason then says why, and what to do. Exactly one of the two is set.
	Signing string `json:"signing,omitempty"`
	Reason  string `json:"reason,omitempty"`
	// NextChange is the next moment at which time alone changes a state; zero
	// where none will. Until then the schedule holds as long as its inputs do.
	NextChange time.Time `json:"next_change,omitzero"`
	// DueAt is when the next version must have been created to take over in time;
	// zero where no next version is asked for.
	DueAt time.Time `json:"due,omitzero"`
	// Late says that DueAt has passed. The current version goes on signing.
	Late bool `json:"late,omitempty"`
	// Auto says that the daemon makes the next version.
	Auto bool `json:"auto,omitempty"`
	// Missing are the kids under rotation.activate that no version has.
	Missing []string `json:"missing,omitempty"`
	// Lost are kids that were on the token and in the JWKS and are gone. No version
	// is generated for the set until they are back or under rotation.revoke. A key
	// that went while no daemon ran may be listed with every set of its algorithm.
	Lost     []string        `json:"lost,omitempty"`
	Versions []VersionStatus `json:"versions"` // by creation, oldest first
}

// KeyVersion is one key pair of a key set.
type KeyVersion struct {
	Kid   string `json:"kid"`
	Label string `json:"label,omitempty"` // on the token
	// Created is when the pair came onto the token, from its label. Zero for an
	// adopted key of unknown age: it counts as the oldest of all.
	Created time.Time `json:"created,omitzero"`
	// Adopted says that the configuration names the key, not its label.
	Adopted bool `json:"adopted,omitempty"`
}

// VersionStatus is a version and its place in the schedule.
type VersionStatus struct {
	KeyVersion
	State KeyState `json:"state"`
	// Since is when the state began; zero where that can't be known (an activation
	// or a revocation leaves no time behind).
	Since time.Time `json:"since,omitzero"`
	// Next is the state that follows, empty where time alone brings none, and
	// NextAt when; zero where a person decides it.
	Next   KeyState  `json:"next,omitempty"`
	NextAt time.Time `json:"next_at,omitzero"`
}

// KeyState is what a version of a key set is at one moment.
type KeyState string

// The states, in the order in which a version goes through them. Time only moves
// a version forward; it may skip states.
const (
	KeyWaiting   KeyState = "waiting"   // created in the future by this clock; in the JWKS already
	KeyPublished KeyState = "published" // in the JWKS, so that receivers know it before it signs
	KeySigning   KeyState = "signing"   // in the JWKS, and the one that signs
	KeyRetiring  KeyState = "retiring"  // in the JWKS for what it has signed; never signs again
	KeyRetired   KeyState = "retired"   // out of the JWKS; safe to destroy
	KeyRevoked   KeyState = "revoked"   // neither signs nor is in the JWKS, by the configuration
)

// InJWKS reports whether a version in this state is published.
func (s KeyState) InJWKS() bool {
	return s == KeyWaiting || s == KeyPublished || s == KeySigning || s == KeyRetiring
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
