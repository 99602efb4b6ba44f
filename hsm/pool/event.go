package pool

import (
	"time"

	"github.com/assertd/assertd/ipc"
)

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

// EventKinds lists the kinds of event.
func EventKinds() []EventKind {
	return []EventKind{
		EventReady, EventExit, EventKill, EventCorrupt, EventFailed, EventRefused, EventResend, EventMove,
	}
}

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

// Status lists all workers, by token in the order of the configuration and by place.
func (p *Pool) Status() []ipc.WorkerStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []ipc.WorkerStatus
	for _, t := range p.tokens {
		for _, s := range t.slots {
			all = append(all, s.now())
		}
	}
	return all
}

// now is the slot's status at this moment. The pool is locked.
func (s *slot) now() ipc.WorkerStatus {
	w := s.status
	if w.State == ipc.WorkerStarting && s.token.refused {
		w.State = ipc.WorkerRefused // it waits for its turn, which doesn't come before Reset
	}
	if s.worker != nil {
		w.PID, w.InFlight = s.worker.pid, len(s.worker.inFlight)
	}
	return w
}

// set notes what the slot is doing and, unless nil, what went wrong. The pool is
// locked.
func (s *slot) set(state string, err error) {
	s.status.State, s.status.Since = state, time.Now()
	if err != nil {
		s.fail(err)
	}
}

func (s *slot) fail(err error) { s.lastErr, s.status.Error = err, err.Error() }
