package pool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/wire"
	"github.com/assertd/assertd/internal/sleep"
	"github.com/assertd/assertd/ipc"
)

// startTries is how often a start is tried before it counts as failed:
// SoftHSM's files are unreadable for a moment while another process logs in.
const startTries = 3

// start waits for the token's start lock and tries until it has a worker; nil
// means that ctx ended. It keeps the lock between attempts, so that a token
// that is away is asked by one process at a time, and one that refused the PIN
// by none.
func (s *slot) start(ctx context.Context, p *Pool) *worker {
	p.setState(s, ipc.WorkerStarting, nil)
	if !s.token.lockStart(ctx) {
		return nil
	}
	defer s.token.unlockStart()
	for {
		reset, err := p.mayStart(s)
		if err == nil {
			var w *worker
			if w, err = s.try(ctx, p); err == nil {
				return w
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		wait, again := p.startFailed(s, err, reset)
		if !retry(ctx, wait, again, reset) {
			return nil
		}
		p.setState(s, ipc.WorkerStarting, nil)
	}
}

// retry waits until the next attempt may be made: for a pause that Reset ends
// early, or for Reset. False means that ctx ended.
func retry(ctx context.Context, wait time.Duration, again bool, reset <-chan struct{}) bool {
	if again {
		return sleep.UntilWoken(ctx, wait, reset)
	}
	select {
	case <-reset:
		return true
	case <-ctx.Done():
		return false
	}
}

// try starts a worker, and tries again at once if the failure is transient.
// Once the token is known to be away one try is enough.
func (s *slot) try(ctx context.Context, p *Pool) (*worker, error) {
	tries := startTries
	if p.failing(s.token) {
		tries = 1
	}
	for n := 1; ; n++ {
		w, err := s.open(ctx, p)
		if err == nil {
			return w, nil
		}
		if n == tries || !transient(err) || !sleep.For(ctx, pause(n)) {
			return nil, err
		}
	}
}

// permanent are the errors that can't come from reading a token's files while
// another process writes them. A refused PIN in particular is never tried
// again.
var permanent = []error{
	hsm.ErrPINIncorrect, hsm.ErrPINFinalTry, hsm.ErrPINLocked, hsm.ErrPINSource, hsm.ErrModule, hsm.ErrAmbiguous,
	ErrStart, wire.ErrMalformed,
}

func transient(err error) bool {
	for _, kind := range permanent {
		if errors.Is(err, kind) {
			return false
		}
	}
	return true
}

// open starts a process and puts it into service with the inventory that it
// reports.
func (s *slot) open(ctx context.Context, p *Pool) (*worker, error) {
	w, inventory, err := s.launch(ctx, p)
	if err != nil {
		return nil, err
	}
	p.add(w, inventory)
	return w, nil
}

// launch starts a process, sends it its settings and takes its inventory.
func (s *slot) launch(ctx context.Context, p *Pool) (_ *worker, read wire.Inventory, err error) {
	config, hello := p.settings(s.token)
	defer func() {
		if err != nil {
			p.attempted(s.token, hello, err)
		}
	}()
	if err := config.checkEnvironment(); err != nil {
		return nil, read, fmt.Errorf("%w: hsm.environment: %w", hsm.ErrModule, err)
	}
	payload, err := hello.Encode()
	if err != nil {
		return nil, read, err
	}
	defer clear(payload)
	if config.PIN.Pad {
		p.cfg.Logger.Warn("enter the PIN on the token's pad", "token", config.Name, "worker", s.status.Worker)
	}
	process, err := p.spawner.start(p.cfg.Command, config.environment(os.LookupEnv), p.cfg.Stderr)
	if err != nil {
		return nil, read, err
	}
	defer func() {
		if err != nil {
			err = withExit(err, process.end(graceAfter(ctx, err)))
		}
	}()
	_ = process.conn.SetDeadline(time.Now().Add(p.cfg.startTimeout(config)))
	stop := context.AfterFunc(ctx, func() { _ = process.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	w, err := newWorker(s, process, hello.Depth)
	if err != nil {
		return nil, read, err
	}
	if read, err = w.handshake(ctx, payload, p); err != nil {
		return nil, read, err
	}
	if !stop() {
		return nil, read, context.Cause(ctx)
	}
	_ = process.conn.SetDeadline(time.Time{})
	return w, read, nil
}

// graceAfter is how long a process whose start failed gets to exit by itself.
// One that missed its deadline hangs and gets none. If the pool is ending, the
// deadline says nothing about the process.
func graceAfter(ctx context.Context, err error) time.Duration {
	if errors.Is(err, ErrStart) && ctx.Err() == nil {
		return 0
	}
	return wire.OpenGrace
}

// withExit adds how the process exited if the worker didn't say why.
func withExit(err error, how string) error {
	if errors.Is(err, ErrDied) {
		return &exitError{how: how, cause: err}
	}
	return err
}

type exitError struct {
	how   string
	cause error
}

func (e *exitError) Error() string { return e.cause.Error() + ": " + e.how }
func (e *exitError) Unwrap() error { return e.cause }

// handshake takes a new worker through its first frames: settings, inventory,
// and a verified signature by a configured key, if the token has one.
func (w *worker) handshake(ctx context.Context, settings []byte, p *Pool) (wire.Inventory, error) {
	f, err := w.exchange(wire.Raw{Kind: wire.KindHello, Payload: settings}, 0)
	if err != nil {
		return wire.Inventory{}, err
	}
	if f.Kind != wire.KindReady {
		return wire.Inventory{}, wire.Malformed("the first reply is of kind %#x", f.Kind)
	}
	inventory, err := wire.DecodeInventory(f.Payload, w.token.config.Name)
	if err != nil || p.cfg.Probe == 0 {
		return inventory, err
	}
	return inventory, w.prove(ctx, p.probesAmong(inventory.Keys), min(p.cfg.Timeout, p.cfg.StartTimeout))
}

// exchange sends one request and waits for its reply, before the worker is in
// service.
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
		return wire.Frame{}, wire.Malformed("a reply to request %d, not %d", f.ID, id)
	}
	return f, nil
}

// startError says what a connection that failed means for a worker that starts.
func startError(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%w: the module hangs or the token is slow to reach; "+
			"check that the HSM answers the vendor's tools", ErrStart)
	}
	if errors.Is(err, wire.ErrMalformed) {
		return err
	}
	return fmt.Errorf("%w before it was ready: the module probably crashed, as some do if they can't open their files; "+
		"check hsm.environment and sandbox", ErrDied)
}
