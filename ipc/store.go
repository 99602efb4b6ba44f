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

// SharedBudgets is how the rate windows with scope: fleet work at present.
type SharedBudgets struct {
	State   SharedState `json:"state"`
	Windows int         `json:"windows"`         // that this daemon shares
	Leased  int         `json:"leased"`          // tokens that this daemon can use without asking
	Daemons int         `json:"daemons"`         // that the server heard of lately, with this one
	Error   string      `json:"error,omitempty"` // why the server is away
	// Calls of the server's script since the daemon started, and how often the
	// server had nothing of what this daemon knew: at least once, when it joined.
	Answered uint64 `json:"answered"`
	Failed   uint64 `json:"failed"`
	Epochs   uint64 `json:"epochs"`
}

// SharedState is a state of the shared budgets.
type SharedState string

// The states. In all but BudgetsShared a daemon uses up what it has leased, and
// then budgets.shared.on_loss decides.
const (
	BudgetsJoining   SharedState = "joining"   // the server has not answered since the daemon started
	BudgetsShared    SharedState = "shared"    // as configured
	BudgetsReporting SharedState = "reporting" // the server lost its data, and the daemons report what they remember
	BudgetsAway      SharedState = "away"      // the server does not answer
)

// SharedStates lists the states.
func SharedStates() []SharedState {
	return []SharedState{BudgetsJoining, BudgetsShared, BudgetsReporting, BudgetsAway}
}
