package pool

import (
	"time"
)

// EventKind says what happened to a worker.
type EventKind string

// The kinds of event.
const (
	EventReady   EventKind = "ready"   // a worker can sign
	EventExit    EventKind = "exit"    // a worker that was ready exited; Err says why
	EventKill    EventKind = "kill"    // a worker missed its deadline and was killed; an exit follows
	EventCorrupt EventKind = "corrupt" // a worker made a signature that doesn't verify; an exit follows
	EventFailed  EventKind = "failed"  // a worker did not start; Err says why
	EventRefused EventKind = "refused" // the token doesn't take the PIN, which isn't tried again before Reset
	EventPIN     EventKind = "pin"     // the token reports that somebody entered wrong PINs
	EventResend  EventKind = "resend"  // a signature was sent to another worker
	EventMove    EventKind = "move"    // a slow worker's signature was sent to a second one too
)

// EventKinds lists the kinds of event.
func EventKinds() []EventKind {
	return []EventKind{
		EventReady, EventExit, EventKill, EventCorrupt, EventFailed, EventRefused, EventPIN, EventResend, EventMove,
	}
}

// Event is something that happened to a worker.
type Event struct {
	Kind   EventKind
	Time   time.Time
	Token  string
	Worker int // its place among the token's workers, from 0
	PID    int // 0 if there is no process
	Err    error
	// Failures is how many starts on the token have failed in a row, for
	// EventFailed and EventRefused.
	Failures int
	Remedy   string // for EventRefused and EventPIN: what operators must do
}

// event queues an event, which unlock reports. The pool is locked.
func (p *Pool) event(kind EventKind, s *slot, pid int, err error) {
	e := Event{Kind: kind, Time: time.Now(), Token: s.status.Token, Worker: s.status.Worker, PID: pid, Err: err}
	if kind == EventFailed || kind == EventRefused {
		e.Failures = s.token.failures
	}
	if kind == EventRefused || kind == EventPIN {
		e.Remedy = s.token.pinStatus().Remedy
	}
	p.events = append(p.events, e)
}

func (p *Pool) report(e Event) {
	p.log(e)
	p.cfg.Observer.WorkerEvent(e)
}

func (p *Pool) log(e Event) {
	args := []any{"token", e.Token, "worker", e.Worker, "pid", e.PID}
	if e.Err != nil {
		args = append(args, "error", e.Err)
	}
	message := "hsm worker: " + string(e.Kind)
	switch e.Kind {
	case EventReady:
		p.cfg.Logger.Info(message, append(args, p.tokenNamed(e.Token).quirks()...)...)
	case EventResend, EventMove:
		p.cfg.Logger.Debug(message, args...)
	case EventFailed:
		if e.Failures > 1 { // one line is enough for a token that is away for an hour
			p.cfg.Logger.Debug(message, args...)
			return
		}
		p.cfg.Logger.Warn(message, args...)
	case EventRefused:
		p.cfg.Logger.Error(message, append(args, "remedy", e.Remedy)...)
	case EventPIN:
		p.cfg.Logger.Warn(message, append(args, "remedy", e.Remedy)...)
	case EventCorrupt:
		p.cfg.Logger.Error(message, args...)
	default:
		p.cfg.Logger.Warn(message, args...)
	}
}
