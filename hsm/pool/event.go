package pool

import "time"

// EventKind says what happened to a worker.
type EventKind string

// The kinds of event; each is worth a counter.
const (
	EventReady   EventKind = "ready"   // a worker can sign
	EventExit    EventKind = "exit"    // a worker that could sign ended, for whatever reason; Err says which
	EventKill    EventKind = "kill"    // it was killed because it passed its deadline; an exit follows
	EventCorrupt EventKind = "corrupt" // it made a signature that doesn't verify; an exit follows
	EventFailed  EventKind = "failed"  // a worker could not be started; Err says why
	EventRefused EventKind = "refused" // the token refused the PIN; nothing is tried until Reset
	EventResend  EventKind = "resend"  // a signature was sent to another worker
	EventMove    EventKind = "move"    // a signature was sent to another worker as well, because the first is slow
)

// Event is something that happened to a worker.
type Event struct {
	Kind   EventKind
	Time   time.Time
	Token  string
	Worker int // its place among the token's workers, from 0
	PID    int // 0 where there is no process
	Err    error
	// Failures is how many starts of the token have failed in a row, for EventFailed and EventRefused.
	Failures int
}

// State is what a worker is doing.
type State string

// The states of a worker.
const (
	StateStarting State = "starting" // opening the token, or waiting for its turn to
	StateReady    State = "ready"    // signing
	StateWaiting  State = "waiting"  // ended; the next attempt follows
	StateRefused  State = "refused"  // the token refused the PIN: no attempt until Reset
	StateStopped  State = "stopped"  // the pool isn't running
)

// WorkerStatus is one worker at one moment.
type WorkerStatus struct {
	Token     string
	Worker    int // its place among the token's workers, from 0
	State     State
	PID       int // 0 where there is no process
	Since     time.Time
	Restarts  int   // processes after the first that became ready
	InFlight  int   // requests it holds
	LastError error // why the last process ended or didn't start; nil if none did
}

// Status lists all workers, by token in the order of the configuration and by place.
func (p *Pool) Status() []WorkerStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []WorkerStatus
	for _, t := range p.tokens {
		for _, s := range t.slots {
			all = append(all, s.status())
		}
	}
	return all
}

// status is called with the pool locked.
func (s *slot) status() WorkerStatus {
	w := WorkerStatus{Token: s.token.config.Name, Worker: s.place, State: s.state, Since: s.since, Restarts: max(s.started-1, 0), LastError: s.lastErr}
	if s.state == StateStarting && s.token.refused {
		w.State = StateRefused // it waits for its turn, which doesn't come before Reset
	}
	if s.worker != nil {
		w.PID, w.InFlight = s.worker.pid, len(s.worker.inFlight)
	}
	return w
}
