package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// worker is a process that has become ready, as the pool sees it.
type worker struct {
	slot    *slot
	token   *token
	process *process
	pid     int
	out     *outbox
	frames  *frameReader
	depth   int

	verified atomic.Int64 // when a signature of this worker was last verified, Unix nanoseconds
	probing  atomic.Bool

	// The pool's lock guards the rest.
	inFlight map[uint32]attempt
	nextID   uint32
	gone     bool // it gets nothing any more; what it had was given to others
	slow     bool // it has had something for longer than a healthy worker takes
	answered int  // requests
	since    time.Time
	cause    error // why it is gone
}

func newWorker(s *slot, p *process, depth int) (*worker, error) {
	out, err := newOutbox(p.conn)
	if err != nil {
		return nil, err
	}
	return &worker{
		slot: s, token: s.token, process: p, pid: p.pid(), out: out, depth: depth,
		frames:   newFrameReader(p.conn, maxFrame),
		inFlight: make(map[uint32]attempt, depth),
	}, nil
}

// take makes the call the worker's. The pool is locked; the frame is sent after it was unlocked, under the ID returned.
func (w *worker) take(c *call, now time.Time) uint32 {
	w.nextID++
	if w.nextID == 0 {
		w.nextID = 1 // 0 is the ID of the first frame and of what isn't about a request
	}
	w.inFlight[w.nextID] = attempt{call: c, sent: now}
	c.attempts++
	c.outstanding++
	return w.nextID
}

// exchange sends one request and waits for its reply, before the worker has others: the two steps of its start.
func (w *worker) exchange(m message, id uint32) (frame, error) {
	w.out.send(m, id)
	f, err := w.frames.next()
	if err != nil {
		return frame{}, startError(err)
	}
	if f.kind == kindError {
		reply, err := parseErrorReply(f.payload)
		if err != nil {
			return frame{}, err
		}
		return frame{}, reply.err()
	}
	if f.id != id {
		return frame{}, protocolError("a reply to %d where %d was asked", f.id, id)
	}
	return f, nil
}

// startError says in words what a connection that failed means for a worker that is starting.
func startError(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%w: the module hangs or the token is far away; see whether the HSM answers its own tools", ErrStart)
	}
	if errors.Is(err, errFrame) {
		return err
	}
	return fmt.Errorf("%w before it was ready; most likely the module crashed it, as some do that can't open their files: see hsm.environment and sandbox", ErrDied)
}

// read takes the worker's replies until the connection ends, and says why it did.
func (w *worker) read(p *Pool) error {
	for {
		f, err := w.frames.next()
		if errors.Is(err, errFrame) {
			return err
		}
		if err != nil {
			return ErrDied
		}
		r, fatal, err := parseReply(f)
		if err != nil {
			return err
		}
		if fatal {
			return r.err
		}
		p.complete(w, f.id, r)
	}
}

// parseReply gives a frame from a worker the form that a call waits for.
func parseReply(f frame) (r result, fatal bool, err error) {
	r.kind = f.kind
	switch f.kind {
	case kindSignature:
		r.reply, err = parseSignReply(f.payload)
		r.reply.signature = append([]byte(nil), r.reply.signature...)
	case kindReady, kindKey, kindPong:
		r.payload = append([]byte(nil), f.payload...)
	case kindError:
		var reply errorReply
		reply, err = parseErrorReply(f.payload)
		r.err, fatal = reply.err(), reply.fatal
	default:
		err = protocolError("a reply of kind %#x", f.kind)
	}
	return r, fatal, err
}

// kill ends the process and the connection; whoever reads from it notices and reaps.
func (w *worker) kill() {
	_ = w.process.cmd.Process.Kill()
	_ = w.process.conn.Close()
}

// stop asks the worker to finish what it has and end, and gives it until the deadline.
func (w *worker) stop(deadline time.Time) {
	_ = w.process.conn.CloseWrite()
	_ = w.process.conn.SetReadDeadline(deadline)
}

// serve reads the worker's replies until it is gone and its process reaped. When ctx ends it lets the worker finish. What it returns is why the
// worker went, with how its process ended.
func (w *worker) serve(ctx context.Context, p *Pool) error {
	closed := make(chan struct{})
	written := make(chan struct{})
	go func() { defer close(written); w.out.run(closed) }()
	stopping := context.AfterFunc(ctx, func() { w.stop(time.Now().Add(p.cfg.Timeout + orderlyEnd)) })
	err := w.read(p)
	stopping()
	p.retire(w, err, "")
	how := w.process.end(0)
	close(closed)
	<-written
	if cause := p.causeOf(w); !errors.Is(cause, ErrDied) {
		return cause
	}
	return fmt.Errorf("%w: %s", ErrDied, how)
}
