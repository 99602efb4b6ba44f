package ipc

import "time"

// StoreStatus is the state of the server that the daemons of a fleet share
// (budgets.shared).
type StoreStatus struct {
	Up       bool      `json:"up"`
	Since    time.Time `json:"since"`             // when Up last changed
	Error    string    `json:"error,omitempty"`   // why it can't be used
	Answered time.Time `json:"answered,omitzero"` // when it last answered; zero for never
	// Replication is the ID of the data's history (master_replid). Another one
	// means that the server restarted, or that a replica took over.
	Replication  string  `json:"replication_id,omitempty"`
	ClockSeconds float64 `json:"clock_seconds"` // that its clock is ahead of the daemon's
}
