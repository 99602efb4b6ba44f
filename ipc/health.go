package ipc

import (
	"fmt"
	"slices"
)

// HealthResponse answers GET /v1/health: the daemon's front process is alive.
type HealthResponse struct {
	Status  string `json:"status"` // always "ok"
	Version string `json:"version"`
}

// ReadyResponse answers GET /v1/ready, with status 200 if the daemon is ready
// and 503 if not. It is ready once it has made and verified a real signature
// with a key set that grants use, or if there is no grant.
type ReadyResponse struct {
	Ready bool `json:"ready"`
	// Degraded lists the key sets that can't sign, although grants use them. The
	// daemon is ready while another key set can. Callers see those of their own
	// grants, operators see all.
	Degraded []DegradedKey `json:"degraded,omitempty"`
	// Reason is one of the Reason constants, and empty if the daemon is ready.
	Reason string `json:"reason,omitempty"`
	// Detail is a sentence for people. It has nothing that callers must not
	// know.
	Detail string `json:"detail,omitempty"`
	// Warnings need an operator's attention, although the daemon can sign. Each
	// is one of the Warning constants. Ignore unknown ones.
	Warnings []string `json:"warnings,omitempty"`
	// Workers are the processes that load the HSM's module, ready or not. The
	// daemon can sign if one of them is ready.
	Workers []WorkerState `json:"workers,omitempty"`
}

// maxSummary is how many key sets a summary names.
const maxSummary = 8

// Summary is the response in one line, for people: whether the daemon can sign,
// which key sets can't, and whether the last reload was refused.
func (r ReadyResponse) Summary() string {
	text := "ready"
	if !r.Ready {
		text = "not ready: " + r.Reason
	}
	for i, d := range r.Degraded {
		switch {
		case i == 0:
			text += "; can't sign with key set " + d.Key
		case i < maxSummary:
			text += ", " + d.Key
		case i == maxSummary:
			text += fmt.Sprintf(" and %d more", len(r.Degraded)-i)
		}
	}
	if slices.Contains(r.Warnings, WarningReloadRefused) {
		text += "; the last reload was refused, see the log"
	}
	return text
}

// DegradedKey is a key set that can't sign.
type DegradedKey struct {
	Key string `json:"key"` // its name
	// Reason is ReasonKeyNotAvailable or ReasonHSMUnavailable: the code that
	// callers of its grants get.
	Reason string `json:"reason"`
	Detail string `json:"detail"` // a sentence for people, which callers may see
}

// Reasons of a ReadyResponse.
const (
	ReasonStarting         = "starting"          // no worker has signed yet
	ReasonHSMUnavailable   = "hsm-unavailable"   // no worker can reach its token
	ReasonKeyNotAvailable  = "key-not-available" // no key set has a version that may sign
	ReasonAuditUnavailable = "audit-unavailable" // the audit log can't be written
	ReasonAuditDamaged     = "audit-damaged"     // the audit log was changed; a person must look at it
	ReasonAuditRolledBack  = "audit-rolled-back" // the audit log lacks lines that it had
	ReasonDraining         = "draining"          // the daemon is stopping
)

// Warnings of a ReadyResponse.
const (
	// WarningReloadRefused means that the daemon refused the last reload and
	// still uses the previous configuration. Its log and the operator's socket
	// say why.
	WarningReloadRefused = "reload-refused"
	// WarningPINRefused means that a token refused its PIN: a worker that exits
	// does not come back. So do the next two.
	WarningPINRefused = "pin-refused"
	// WarningPINLocked means that a token takes no PIN.
	WarningPINLocked = "pin-locked"
	// WarningPINFinalTry means that one more wrong PIN locks a token.
	WarningPINFinalTry = "pin-final-try"
	// WarningPINCountLow means that a token reports wrong PINs since the last
	// login.
	WarningPINCountLow = "pin-count-low"
	// WarningAuditUnchecked means that the daemon still verifies the lines of the
	// audit log that its start did not read.
	WarningAuditUnchecked = "audit-unchecked"
	// WarningStoreDown means that the server that the daemons of a fleet share
	// does not answer.
	WarningStoreDown = "store-down"
	// WarningBudgetsReporting means that the server lost the shared budgets, and
	// gives no leases until the daemons have reported what they remember.
	WarningBudgetsReporting = "budgets-reporting"
)

// Warnings lists the warnings of a ReadyResponse.
func Warnings() []string {
	return []string{WarningReloadRefused, WarningPINRefused, WarningPINLocked, WarningPINFinalTry, WarningPINCountLow, WarningAuditUnchecked, WarningStoreDown, WarningBudgetsReporting}
}

// WorkerState is what one worker is doing. Operators find out why with
// [WorkerStatus].
type WorkerState struct {
	Token  string `json:"token"`  // the token's name in the configuration
	Worker int    `json:"worker"` // its index among the token's workers, from 0
	State  string `json:"state"`  // one of WorkerStates
}

// States of a worker.
const (
	WorkerStarting = "starting" // opening the token, or waiting for its turn to do so
	WorkerReady    = "ready"    // signing
	WorkerWaiting  = "waiting"  // exited; the daemon will start it again
	WorkerRefused  = "refused"  // the token doesn't take the PIN, which isn't tried again; see [PINStatus]
	WorkerStopped  = "stopped"  // the daemon is starting or stopping
)

// WorkerStates lists the states of a worker.
func WorkerStates() []string {
	return []string{WorkerStarting, WorkerReady, WorkerWaiting, WorkerRefused, WorkerStopped}
}
