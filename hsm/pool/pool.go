package pool

import (
	"context"
	"crypto"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/wire"
)

// Pool runs worker processes and dispatches signatures to them.
type Pool struct {
	cfg     Config
	tokens  []*token
	spawner spawner
	changed chan struct{}
	prove   chan struct{} // wakes watch to probe the workers that have not signed yet
	admin   chan struct{} // a mutex: holds an element while a Generate or Refresh runs

	digestKey hsm.DigestKey // of the PINs that were refused

	hashing atomic.Pointer[map[wire.KeyRef]bool] // keys whose token hashes messages; nil if there are none

	mu       sync.Mutex
	running  bool
	stopped  bool
	routes   map[uint64]*route // by the set of tokens
	keys     map[wire.KeyRef]*route
	revision uint64 // of the tokens' keys
	probes   map[wire.KeyRef]crypto.SignerOpts
	notice   chan struct{} // closed and replaced when the state of a token changes
	events   []Event       // to report once the lock is released
	outgoing []delivery    // to send once the lock is released
}

// delivery is a call that was assigned to a worker and not yet sent.
type delivery struct {
	worker *worker
	call   *call
	id     uint32
}

// New checks the settings and returns a pool. Nothing starts before Run.
func New(cfg Config) (*Pool, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Pool{
		cfg:     cfg,
		spawner: spawner{requests: make(chan spawnRequest)},
		changed: make(chan struct{}, 1),
		prove:   make(chan struct{}, 1),
		admin:   make(chan struct{}, 1),
		routes:  map[uint64]*route{},
		keys:    map[wire.KeyRef]*route{},
		notice:  make(chan struct{}),

		digestKey: hsm.NewDigestKey(),
	}
	for i, config := range cfg.Tokens {
		p.tokens = append(p.tokens, newToken(config, i, cfg.Workers))
	}
	return p, nil
}

// Run starts the workers and keeps them running until ctx ends. Then it lets
// them finish their requests and returns nil once the last process has exited.
// A pool runs once.
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

// stop fails new and queued calls. Workers finish the calls that they have.
func (p *Pool) stop() {
	p.mu.Lock()
	defer p.unlock()
	p.running, p.stopped = false, true
	for _, r := range p.routes {
		r.fail(ErrStopped)
	}
	p.announce()
}

// unlock releases the lock and then does what must not be done under it: write
// to sockets and report events.
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
