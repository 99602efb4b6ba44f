package metrics

import (
	"time"

	"github.com/assertd/assertd/ipc"
)

// State is what the daemon is at one moment, as a scrape finds it.
type State struct {
	Ready                        bool
	Connections, ConnectionLimit int
	Budgets                      []Budget
	Workers                      []ipc.WorkerStatus
	Keys                         []ipc.KeySetStatus
	JWKS                         JWKS
	Audit                        *Audit // nil where nothing is recorded
	Reload                       Reload
}

// Budget is one rate window of a grant or of a key set.
type Budget struct {
	Client, Grant, Key string
	Window             time.Duration
	Remaining, Limit   int
}

// JWKS is how publishing does.
type JWKS struct {
	Published time.Time // zero before the first time
	Keys      int
	Failing   bool // the last attempt failed
}

// Audit is how the audit log does.
type Audit struct {
	Up             bool
	Records, Lines int64
	Bytes          int64
	Pending        int
	Unsynced       time.Duration
	Checkpoints    bool // are to be signed
	Covered        int64
	CoveredAt      time.Time
	CheckpointFail bool
}

// Reload is when the configuration last changed, or was refused.
type Reload struct {
	Success, Failure time.Time
	Failed           bool // the last one was refused
}
