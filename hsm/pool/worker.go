package pool

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/assertd/assertd/hsm/wire"
)

// worker is the pool's view of a worker process.
type worker struct {
	slot    *slot
	token   *token
	process *process
	pid     int
	out     *wire.Writer
	frames  *wire.Reader
	depth   int

	// In Unix nanoseconds:
	verified atomic.Int64 // when a signature of this worker was last verified, 0 if none was
	pinged   atomic.Int64 // when it last answered without signing: at its start, and to a ping
	probing  atomic.Bool
	unfit    atomic.Bool // none of its keys has the algorithm that it was probed with

	// The pool's lock guards the rest.
	inFlight map[uint32]attempt
	nextID   uint32
	retired  bool                 // out of service; its calls were reassigned
	leaving  bool                 // out of service; it finishes its calls
	keys     map[wire.KeyRef]bool // that it saw when it started, or generated
	slow     bool                 // it has had a call for longer than a healthy worker takes
	answered int                  // requests
	readyAt  time.Time
	cause    error // why it is retired
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

// assign gives the call to the worker and returns the ID to send it with, once
// the pool is unlocked. The pool is locked.
func (w *worker) assign(c *call, now time.Time) uint32 {
	w.nextID++
	if w.nextID == 0 {
		w.nextID = 1 // 0 is the ID of the first frame and of errors about no request
	}
	w.inFlight[w.nextID] = attempt{call: c, sent: now}
	c.attempts++
	c.outstanding++
	return w.nextID
}

// serve reads the worker's replies until it is gone and its process reaped.
// When ctx ends it lets the worker finish. It returns why the worker went and
// how its process exited.
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

// read handles the worker's replies until the connection ends, and says why it
// did.
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

// lastProof is when the worker last showed that it works, in Unix nanoseconds.
func (w *worker) lastProof() int64 { return max(w.verified.Load(), w.pinged.Load()) }

// parseReply turns a frame from a worker into the result of a call.
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

// stop asks the worker to finish what it has and exit by the deadline.
func (w *worker) stop(deadline time.Time) {
	_ = w.process.conn.CloseWrite()
	_ = w.process.conn.SetReadDeadline(deadline)
}

// kill kills the process and closes the connection; serve notices and reaps it.
func (w *worker) kill() {
	_ = w.process.cmd.Process.Kill()
	_ = w.process.conn.Close()
}

func (p *Pool) causeOf(w *worker) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return w.cause
}

// readyWorkers lists the workers in service: all of them, or those of one
// token.
func (p *Pool) readyWorkers(of *token) []*worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []*worker
	for _, t := range p.tokens {
		if of == nil || t == of {
			all = append(all, t.ready...)
		}
	}
	return all
}
