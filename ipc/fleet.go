package ipc

import "time"

// FleetResponse answers GET /v1/fleet: the daemons that share a server
// (budgets.shared), as they describe themselves.
type FleetResponse struct {
	Now     time.Time     `json:"now"` // by the server's clock, as far as it is known
	Daemons []FleetDaemon `json:"daemons"`
	// Error is why other daemons are missing; empty if none is.
	Error string `json:"error,omitempty"`
	// Forged counts entries at the server that nobody with the fleet key made.
	Forged int `json:"forged,omitempty"`
}

// FleetDaemon is a daemon of a fleet.
type FleetDaemon struct {
	ID      string    `json:"id"` // of this run of the daemon
	Host    string    `json:"host"`
	PID     int       `json:"pid"`
	Version string    `json:"version"`
	Self    bool      `json:"self,omitempty"` // the daemon that answers
	State   string    `json:"state"`          // one of FleetStates
	Started time.Time `json:"started"`
	Seen    time.Time `json:"seen"` // when it last said so, by the server's clock

	PolicyDigest string  `json:"policy_digest"`
	JWKSDigest   string  `json:"jwks_digest,omitempty"`
	Freezes      int     `json:"freezes"`       // in force
	Released     uint64  `json:"released"`      // signatures since it started
	PerSecond    float64 `json:"per_second"`    // signatures, lately
	ClockSeconds float64 `json:"clock_seconds"` // that its clock is ahead of the server's
}

// States of a daemon of a fleet.
const (
	FleetReady    = "ready"
	FleetDegraded = "degraded"  // ready, but a key set can't sign
	FleetNotReady = "not-ready" // it signs nothing
	FleetGone     = "gone"      // it ended without a word, or can't reach the server
)

// FleetStates lists the states of a daemon of a fleet.
func FleetStates() []string { return []string{FleetReady, FleetDegraded, FleetNotReady, FleetGone} }
