package metrics

import (
	"time"

	"github.com/assertd/assertd/ipc"
)

// State is the daemon's state at one time, for a scrape.
type State struct {
	Ready                        bool
	Connections, ConnectionLimit int
	Budgets                      []Budget
	Workers                      []ipc.WorkerStatus
	Keys                         []ipc.KeySetStatus
	JWKS                         JWKS
	Audit                        *Audit // nil if nothing is recorded
	Reload                       Reload
}

// Budget is one rate window of a grant or a key set.
type Budget struct {
	Client, Grant, Key string
	Window             time.Duration
	Remaining, Limit   int
}

// JWKS is the state of publishing.
type JWKS struct {
	Published time.Time // zero until then
	Keys      int
	Failing   bool // the last attempt failed
}

// Audit is the state of the audit log.
type Audit struct {
	Up             bool
	Records, Lines int64
	Bytes          int64
	Pending        int
	Unsynced       time.Duration
	Checkpoints    bool // whether they are signed
	Covered        int64
	CoveredAt      time.Time
	CheckpointFail bool
}

// Reload says when the configuration last changed or was refused.
type Reload struct {
	Success, Failure time.Time
	Failed           bool // the last one was refused
}
