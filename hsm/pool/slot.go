package pool

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/wire"
	"github.com/assertd/assertd/ipc"
)

const (
	// firstPause and longestPause bound the time between two attempts to start a worker. A token that comes back is used again within
	// the longest and the time a start takes.
	firstPause   = 50 * time.Millisecond
	longestPause = time.Second
	// startTries is how often a start is tried before it counts as failed: SoftHSM's files can't be read for a moment while another
	// process logs in.
	startTries = 3
	// worthAStart is how many answers make up for a worker that ended within longestPause. A module that crashes every now and then under load has
	// its workers back at once: pauses that grew would cost more than the crashes.
	worthAStart = 25
)

// slot is a worker's place: the processes that fill it follow one another. The pool's lock guards the fields below the line.
type slot struct {
	token *token

	status  ipc.WorkerStatus // but for what the worker knows
	started bool             // a process has been ready
	idle    int              // processes in a row that ended soon and with hardly an answer given
	lastErr error            // of which status has the text
	worker  *worker
}

// run keeps the slot filled until ctx ends.
func (s *slot) run(ctx context.Context, p *Pool) {
	for {
		w := s.start(ctx, p)
		if w == nil {
			p.setState(s, ipc.WorkerStopped, nil)
			return
		}
		cause := w.serve(ctx, p)
		idle := p.left(s, w, cause)
		if !sleep(ctx, pause(idle), nil) {
			p.setState(s, ipc.WorkerStopped, cause)
			return
		}
	}
}

// start waits for the token's turn and tries until it has a worker; nil means that ctx ended. It keeps the turn between attempts, so that a
// token that is away is asked by one process at a time, and one that refused the PIN by none.
func (s *slot) start(ctx context.Context, p *Pool) *worker {
	p.setState(s, ipc.WorkerStarting, nil)
	select {
	case <-s.token.turn:
		defer func() { s.token.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil
	}
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
		failures := p.startFailed(s, err, reset)
		if refusedPIN(err) {
			if !wait(ctx, reset) {
				return nil
			}
		} else if !sleep(ctx, pause(failures), reset) {
			return nil
		}
		p.setState(s, ipc.WorkerStarting, nil)
	}
}

// try starts a worker, again at once if the failure is of the kind that passes. Once the token is known to be away one try is enough.
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
		if n == tries || !passing(err) || !sleep(ctx, pause(n), nil) {
			return nil, err
		}
	}
}

// passing says whether the error can come from reading a token's files while another process writes them. A refused PIN is never tried again.
func passing(err error) bool {
	for _, kind := range []error{hsm.ErrPINIncorrect, hsm.ErrPINLocked, hsm.ErrPINSource, hsm.ErrModule, hsm.ErrAmbiguous, ErrStart, wire.ErrMalformed} {
		if errors.Is(err, kind) {
			return false
		}
	}
	return true
}

// open starts a process, gives it its settings, and takes its inventory. The worker is the pool's when it returns.
func (s *slot) open(ctx context.Context, p *Pool) (_ *worker, err error) {
	config := p.configOf(s.token)
	payload, err := wire.Hello{HSM: config.HSM, PIN: config.PIN, Depth: p.cfg.depth(config)}.Encode()
	if err != nil {
		return nil, err
	}
	defer clear(payload)
	process, err := p.spawner.start(p.cfg.Command, config.environment(os.LookupEnv), p.cfg.Stderr)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = withEnd(err, process.end(graceAfter(ctx, err)))
		}
	}()
	_ = process.conn.SetDeadline(time.Now().Add(p.cfg.StartTimeout))
	stop := context.AfterFunc(ctx, func() { _ = process.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	w, err := newWorker(s, process, p.cfg.depth(config))
	if err != nil {
		return nil, err
	}
	keys, err := w.greet(ctx, payload, p)
	if err != nil {
		return nil, err
	}
	if !stop() {
		return nil, context.Cause(ctx)
	}
	_ = process.conn.SetDeadline(time.Time{})
	p.add(w, keys)
	return w, nil
}

// graceAfter is how long a process whose start failed may take to leave. One that passed its deadline is stuck and gets none; one whose pool
// ends only looks as if it had.
func graceAfter(ctx context.Context, err error) time.Duration {
	if errors.Is(err, ErrStart) && ctx.Err() == nil {
		return 0
	}
	return wire.OpenGrace
}

// withEnd adds how the process ended where the worker didn't say why.
func withEnd(err error, how string) error {
	if errors.Is(err, ErrDied) {
		return &endError{how: how, cause: err}
	}
	return err
}

type endError struct {
	how   string
	cause error
}

func (e *endError) Error() string { return e.cause.Error() + ": " + e.how }
func (e *endError) Unwrap() error { return e.cause }

// greet takes a new worker through its first frames: settings, inventory, and a signature that is verified.
func (w *worker) greet(ctx context.Context, settings []byte, p *Pool) ([]wire.KeyInfo, error) {
	f, err := w.exchange(wire.Raw{Kind: wire.KindHello, Payload: settings}, 0)
	if err != nil {
		return nil, err
	}
	if f.Kind != wire.KindReady {
		return nil, wire.Malformed("the first reply is of kind %#x", f.Kind)
	}
	keys, err := wire.DecodeInventory(f.Payload, w.token.config.Name)
	if err != nil || p.cfg.Probe == 0 {
		return keys, err
	}
	return keys, w.prove(ctx, keys, min(p.cfg.Timeout, p.cfg.StartTimeout))
}

// pause is how long to wait before the attempt after n failures: doubled each time, up to the longest, and between a half and the whole of
// that by chance, so that the workers of many daemons don't come back in step.
func pause(n int) time.Duration {
	if n <= 0 {
		return 0
	}
	full := longestPause
	if n < 6 {
		full = min(firstPause<<(n-1), longestPause)
	}
	return full/2 + rand.N(full/2)
}

// sleep waits for d or until early is closed; false means that ctx ended.
func sleep(ctx context.Context, d time.Duration, early <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-early:
	case <-ctx.Done():
		return false
	}
	return ctx.Err() == nil
}

func wait(ctx context.Context, c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	case <-ctx.Done():
		return false
	}
}
