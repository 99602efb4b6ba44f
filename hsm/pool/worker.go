package pool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/assertd/assertd/hsm/wire"
)

// worker is a process that has become ready, as the pool sees it.
type worker struct {
	slot    *slot
	token   *token
	process *process
	pid     int
	out     *wire.Writer
	frames  *wire.Reader
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
	out, err := wire.NewWriter(p.conn)
	if err != nil {
		return nil, err
	}
	return &worker{
		slot: s, token: s.token, process: p, pid: p.pid(), out: out, depth: depth,
		frames:   wire.NewReader(p.conn, wire.MaxReply),
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
func (w *worker) exchange(m wire.Message, id uint32) (wire.Frame, error) {
	w.out.Send(m, id)
	f, err := w.frames.Next()
	if err != nil {
		return wire.Frame{}, startError(err)
	}
	if f.Kind == wire.KindError {
		reply, err := wire.ParseErrorReply(f.Payload)
		if err != nil {
			return wire.Frame{}, err
		}
		return wire.Frame{}, reply.Err()
	}
	if f.ID != id {
		return wire.Frame{}, wire.Malformed("a reply to %d where %d was asked", f.ID, id)
	}
	return f, nil
}

// startError says in words what a connection that failed means for a worker that is starting.
func startError(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%w: the module hangs or the token is far away; see whether the HSM answers its own tools", ErrStart)
	}
	if errors.Is(err, wire.ErrMalformed) {
		return err
	}
	return fmt.Errorf("%w before it was ready; most likely the module crashed it, as some do that can't open their files: see hsm.environment and sandbox", ErrDied)
}

// read takes the worker's replies until the connection ends, and says why it did.
func (w *worker) read(p *Pool) error {
	for {
		f, err := w.frames.Next()
		if errors.Is(err, wire.ErrMalformed) {
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
		p.complete(w, f.ID, r)
	}
}

// parseReply gives a frame from a worker the form that a call waits for.
func parseReply(f wire.Frame) (r result, fatal bool, err error) {
	r.kind = f.Kind
	switch f.Kind {
	case wire.KindSignature:
		r.reply, err = wire.ParseSignReply(f.Payload)
		r.reply.Signature = append([]byte(nil), r.reply.Signature...)
	case wire.KindReady, wire.KindKey, wire.KindPong:
		r.payload = append([]byte(nil), f.Payload...)
	case wire.KindError:
		var reply wire.ErrorReply
		reply, err = wire.ParseErrorReply(f.Payload)
		r.err, fatal = reply.Err(), reply.Fatal
	default:
		err = wire.Malformed("a reply of kind %#x", f.Kind)
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
	go func() { defer close(written); w.out.Run(closed) }()
	stopping := context.AfterFunc(ctx, func() { w.stop(time.Now().Add(p.cfg.Timeout + wire.StopGrace)) })
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
