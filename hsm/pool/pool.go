package pool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/wire"
	"github.com/assertd/assertd/ipc"
)

// maxTokens is how many tokens a pool can have: a group of tokens is a set of bits.
const maxTokens = 64

// Pool runs worker processes and hands signatures to them.
type Pool struct {
	cfg     Config
	tokens  []*token
	spawner spawner
	changed chan struct{}
	admin   chan struct{} // holds an element while somebody generates or refreshes

	mu       sync.Mutex
	running  bool
	stopped  bool
	routes   map[uint64]*route // by the set of tokens
	keys     map[wire.KeyRef]*route
	notice   chan struct{} // closed and replaced when the state of a token changes
	events   []Event       // to report once the lock is released
	outgoing []delivery    // to send once the lock is released
}

// token is one token's part of the pool. The pool's lock guards what changes.
type token struct {
	config TokenConfig
	bit    uint64
	slots  []*slot
	turn   chan struct{} // holds one element; a worker starts while it has taken it

	ready    []*worker
	keys     []wire.KeyInfo
	known    bool          // keys have been read once
	deserted time.Time     // when the last ready worker went
	failures int           // starts that failed since the last that did not
	lastErr  error         // of those
	refused  bool          // lastErr is a refused PIN
	reset    chan struct{} // closed and replaced by Reset
}

// delivery is a call that a worker has taken and that is yet to be sent.
type delivery struct {
	worker *worker
	call   *call
	id     uint32
}

// New checks the settings and makes a pool. Nothing starts before Run.
func New(cfg Config) (*Pool, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Pool{
		cfg:     cfg,
		spawner: spawner{requests: make(chan spawnRequest)},
		changed: make(chan struct{}, 1),
		admin:   make(chan struct{}, 1),
		routes:  map[uint64]*route{},
		keys:    map[wire.KeyRef]*route{},
		notice:  make(chan struct{}),
	}
	for i, config := range cfg.Tokens {
		p.tokens = append(p.tokens, newToken(config, i, cfg.Workers))
	}
	return p, nil
}

func newToken(config TokenConfig, index, workers int) *token {
	t := &token{config: config, bit: 1 << index, turn: make(chan struct{}, 1), reset: make(chan struct{})}
	t.turn <- struct{}{}
	for place := range workers {
		state := ipc.WorkerState{Token: config.Name, Worker: place, State: ipc.WorkerStopped}
		t.slots = append(t.slots, &slot{token: t, status: ipc.WorkerStatus{WorkerState: state}})
	}
	return t
}

// Run starts the workers and keeps them running until ctx ends; then it lets them finish what they have and returns nil once the last process is
// gone. A pool runs once.
func (p *Pool) Run(ctx context.Context) error {
	if err := p.start(); err != nil {
		return err
	}
	spawning, endSpawning := context.WithCancel(context.Background())
	var spawner, all sync.WaitGroup
	spawner.Go(func() { p.spawner.run(spawning) })
	for _, t := range p.tokens {
		for _, s := range t.slots {
			all.Go(func() { s.run(ctx, p) })
		}
	}
	all.Go(func() { p.watch(ctx) })
	<-ctx.Done()
	p.stop()
	all.Wait()
	endSpawning()
	spawner.Wait()
	return nil
}

func (p *Pool) start() error {
	p.mu.Lock()
	defer p.unlock()
	if p.running || p.stopped {
		return errors.New("hsm/pool: a pool runs only once")
	}
	p.running = true
	return nil
}

// stop refuses what comes from now on and what waits; what workers have they finish.
func (p *Pool) stop() {
	p.mu.Lock()
	defer p.unlock()
	p.running, p.stopped = false, true
	for _, r := range p.routes {
		r.fail(ErrStopped)
	}
	p.announce()
}

// unlock releases the lock and then does what must not be done under it: report events and write to sockets.
func (p *Pool) unlock() {
	events, outgoing := p.events, p.outgoing
	p.events, p.outgoing = nil, nil
	p.mu.Unlock()
	for _, d := range outgoing {
		d.worker.out.Send(d.call.message, d.id)
	}
	for _, e := range events {
		p.report(e)
	}
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
		p.cfg.Logger.Info(message, args...)
	case EventResend, EventMove:
		p.cfg.Logger.Debug(message, args...)
	case EventFailed:
		if e.Failures > 1 { // a token that is away for an hour needs no line for every attempt
			p.cfg.Logger.Debug(message, args...)
			return
		}
		p.cfg.Logger.Warn(message, args...)
	case EventRefused:
		p.cfg.Logger.Error(message, append(args, "do", p.remedy(e))...)
	case EventCorrupt:
		p.cfg.Logger.Error(message, args...)
	default:
		p.cfg.Logger.Warn(message, args...)
	}
}

// remedy says what has a token tried again that refused its PIN.
func (p *Pool) remedy(e Event) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	mend := "correct the PIN where it is kept"
	if errors.Is(e.Err, hsm.ErrPINLocked) {
		mend = "have the token's security officer unlock the PIN"
	}
	i := slices.IndexFunc(p.tokens, func(t *token) bool { return t.config.Name == e.Token })
	if p.tokens[i].config.PIN.Value != nil {
		return mend + ", then restart the daemon and type it again"
	}
	return mend + ", then reload (SIGHUP)"
}

// event notes what happened, to be reported by unlock.
func (p *Pool) event(kind EventKind, s *slot, pid int, err error) {
	p.events = append(p.events, Event{Kind: kind, Time: time.Now(), Token: s.status.Token, Worker: s.status.Worker, PID: pid, Err: err})
}

// announce tells WaitReady and the reader of Changed that something is different.
func (p *Pool) announce() {
	close(p.notice)
	p.notice = make(chan struct{})
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// Changed has an element after the inventory or the state of a worker changed, one for any number of changes. It is for one reader.
func (p *Pool) Changed() <-chan struct{} { return p.changed }

// WaitReady returns nil once a worker of any token can sign. It fails once the first start has failed on every token, with what each said
// (hsm.ErrPINIncorrect, hsm.ErrModule, hsm.ErrTokenNotFound, ErrStart, …), and when ctx ends. Whatever it returns, Run goes on trying, except
// where a PIN was refused.
func (p *Pool) WaitReady(ctx context.Context) error {
	return p.wait(ctx, "the first worker", p.anyReady)
}

// WaitAll returns nil once every token has been read, so that Inventory lacks none. It fails once the first start on each of those that have not
// been read has failed, with what each said, and when ctx ends. Tokens that hang hold it up for as long as a start may take.
func (p *Pool) WaitAll(ctx context.Context) error {
	return p.wait(ctx, "every token", p.allKnown)
}

// wait asks at each change until the answer is yes or an error.
func (p *Pool) wait(ctx context.Context, what string, answer func() (bool, error)) error {
	for {
		p.mu.Lock()
		yes, err := answer()
		if p.stopped {
			yes, err = false, ErrStopped
		}
		notice := p.notice
		p.mu.Unlock()
		if yes || err != nil {
			return err
		}
		select {
		case <-notice:
		case <-ctx.Done():
			return fmt.Errorf("hsm/pool: wait for %s: %w", what, context.Cause(ctx))
		}
	}
}

// anyReady is called with the pool locked.
func (p *Pool) anyReady() (bool, error) {
	var failed []error
	for _, t := range p.tokens {
		if len(t.ready) > 0 {
			return true, nil
		}
		if t.failures > 0 {
			failed = append(failed, t.failure())
		}
	}
	if len(failed) == len(p.tokens) {
		return false, errors.Join(failed...)
	}
	return false, nil
}

// allKnown is called with the pool locked.
func (p *Pool) allKnown() (bool, error) {
	var failed []error
	for _, t := range p.tokens {
		switch {
		case t.known:
		case t.failures == 0:
			return false, nil
		default:
			failed = append(failed, t.failure())
		}
	}
	return len(failed) == 0, errors.Join(failed...)
}

func (t *token) failure() error { return fmt.Errorf("token %q: %w", t.config.Name, t.lastErr) }

// Reset lets the pool try a token again after its PIN was refused, or at once where it waits for its next attempt: something about the token
// has changed. The PIN source may be another than before. A PIN that was handed over as a value and refused is still the same when somebody reloads:
// with that value Reset changes nothing and returns hsm.ErrPINIncorrect, as the attempts of a few reloads would lock the token.
func (p *Pool) Reset(name string, pin hsm.PINSource) error {
	if err := checkPIN(pin); err != nil {
		return fmt.Errorf("hsm/pool: token %q: %w", name, err)
	}
	p.mu.Lock()
	defer p.unlock()
	i := slices.IndexFunc(p.tokens, func(t *token) bool { return t.config.Name == name })
	if i < 0 {
		return fmt.Errorf("hsm/pool: %w: no token is named %q", hsm.ErrTokenNotFound, name)
	}
	t := p.tokens[i]
	if t.refused && pin.Value != nil && pin.Value == t.config.PIN.Value {
		return fmt.Errorf("hsm/pool: token %q: %w, and the one that was typed is not tried again: restart the daemon and type it anew", name, hsm.ErrPINIncorrect)
	}
	t.config.PIN = pin
	t.failures, t.refused = 0, false
	close(t.reset)
	t.reset = make(chan struct{})
	p.announce()
	return nil
}
