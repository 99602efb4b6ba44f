// Package daemon assembles assertd: it builds the components from a
// configuration, runs them, and stops them in the right order. It is the only
// package that imports all the others.
package daemon

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/assertd/assertd/hsm/pool"
	"github.com/assertd/assertd/internal/audit/trail"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/descent"
	"github.com/assertd/assertd/internal/fleet"
	"github.com/assertd/assertd/internal/freeze"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/kubesigner"
	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/internal/metrics"
	"github.com/assertd/assertd/internal/ratelimit"
	"github.com/assertd/assertd/internal/store"
	"github.com/assertd/assertd/internal/tracing"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/peer"
	"github.com/assertd/assertd/ipc/server"
	"github.com/assertd/assertd/jwks"
	"github.com/assertd/assertd/signer"
)

// Options configure a Daemon.
type Options struct {
	Config *config.Config
	// Reread reads the configuration again, for Reload.
	Reread        func() (*config.Config, error)
	Logger        logging.Logger
	Version       string
	WorkerCommand []string         // argv of a worker process
	WriterCommand []string         // argv of a process that writes a file, see atomicfile.Writer
	Now           func() time.Time // the wall clock
	Family        *descent.Family  // of this process, none of which may connect; nil allows all
	Sandbox       ipc.SandboxStatus
	// Ready is called once, when the tokens have been tried and the sockets are
	// served, even if no key set can sign yet. Nil is allowed.
	Ready func()
	// Status is called with the daemon's readiness in one line, after each check
	// of the key sets and each reload. Nil is allowed.
	Status func(text string)
	// Explain adds a remedy to an error of a token. Nil is allowed.
	Explain func(error) error
}

// Daemon is one assertd. Run runs it once.
type Daemon struct {
	Options
	pool       *pool.Pool
	tokens     []pool.TokenConfig
	trail      *trail.Trail // nil if decisions are not recorded
	ring       *keyset.Active
	limiter    *ratelimit.Limiter
	freezes    *freeze.Board
	store      *store.Store   // that the fleet shares; nil for none
	shared     *fleet.Freezes // nil without a store, as the next
	presence   *fleet.Presence
	signer     *signer.Signer
	signing    *server.Signing // what the callers' sockets serve
	ready      *readiness
	publish    *jwks.Publication
	rotation   *keyset.Rotator
	sockets    []*peer.Listener
	reloaded   chan struct{} // signaled after each reload
	registry   *prometheus.Registry
	metrics    *metrics.Metrics
	tracer     *tracing.Tracer               // nil if nothing is traced
	issuers    map[string]keyset.Issuer      // of Kubernetes tokens, by socket
	kubernetes map[string]*kubesigner.Server // by socket
	server     atomic.Pointer[server.Server] // nil before callers are served
	started    time.Time
	stop       context.CancelFunc      // ends Run cleanly
	fail       context.CancelCauseFunc // ends Run with an error

	reloading  sync.Mutex // held during a reload, from reading the file on
	lastReload atomic.Pointer[ReloadState]

	mu        sync.Mutex // held by Reload and refresh, which replace decisions
	decisions decisions
}

// New builds a daemon and refuses a configuration that can't work. It opens the
// audit log. It starts nothing else, and does not touch the HSM; Run does.
func New(o Options) (*Daemon, error) {
	decided, err := newDecisions(o.Config)
	if err = errors.Join(err, o.Config.CheckPaths()); err != nil {
		return nil, err
	}
	issuers, err := o.Config.Issuers(keyset.ReadPublicKeys)
	if err != nil {
		return nil, err
	}
	d := &Daemon{Options: o, decisions: decided, issuers: issuers, ring: &keyset.Active{}, reloaded: make(chan struct{}, 1), started: o.Now()}
	d.lastReload.Store(&ReloadState{ReloadStatus: ipc.ReloadStatus{Success: o.Now()}})
	if err := errors.Join(d.newMetrics(), d.newTracer(), d.openFleet()); err != nil {
		return nil, err
	}
	if err := d.newPool(); err != nil {
		return nil, err
	}
	if d.limiter, err = d.newLimiter(decided.budgets); err != nil {
		return nil, err
	}
	d.ready = &readiness{daemon: d, health: signer.NewHealth(d.pool, d.ring, d.Now, d.Logger)}
	published := jwks.LastPublished(o.Config.JWKS.File, o.Config.Trust(), o.Logger)
	d.ring.Replace(keyset.Recall(published))
	d.rotation = keyset.NewRotator(d.ring, tokens{d}, published, d.Now, d.Logger)
	if d.publish, err = jwks.NewPublication(d.publicationConfig()); err != nil {
		return nil, err
	}
	d.refresh()
	if d.trail, err = trail.Open(trail.Options{
		Settings: o.Config.Audit, Trust: o.Config.Trust(), Keys: d.ring, HSM: d.pool, Version: o.Version, Now: o.Now, Logger: o.Logger,
	}); err != nil {
		return nil, err
	}
	if err := d.newSigner(); err != nil {
		return nil, err
	}
	d.newKubernetes()
	d.newFreezes()
	return d, nil
}

func (d *Daemon) newPool() (err error) {
	settings, err := poolConfig(d.Options)
	if err != nil {
		return err
	}
	d.tokens, settings.Observer = settings.Tokens, d.metrics
	d.pool, err = pool.New(settings)
	return err
}

func (d *Daemon) newSigner() error {
	options := signer.Options{
		Policy: d.decisions.policy, Keys: d.ring, HSM: d.pool, Limiter: d.limiter, Observer: d.metrics, Logger: d.Logger,
		Now: d.Now, Random: rand.Reader, Verify: verification(d.Config.Verify), AuditRequired: d.Config.Audit.Required, Traced: d.tracer != nil,
	}
	if d.Config.Audit.QuorumRequired {
		options.Hold = d.trail.Hold
	}
	if log := d.trail.Log(); log != nil {
		options.Log = log
	}
	s, err := signer.New(options)
	d.signer = s
	d.signing = &server.Signing{
		Signer: s, KeySets: d.ring, Limiter: d.limiter, Now: d.Now, Readiness: d.ready.withWorkers, BatchWidth: batchWidth(d.Config),
	}
	return err
}

// ReopenLogs switches to new log files if something has moved the old ones
// away. It reloads nothing.
func (d *Daemon) ReopenLogs() error { return d.trail.Reopen() }

func verification(v config.Verify) signer.Verification {
	if v == config.VerifySampled {
		return signer.VerifySampled
	}
	return signer.VerifyAlways
}

// use puts a ring in force. The workers are probed with its keys from now on.
func (d *Daemon) use(ring *keyset.Ring) {
	d.ring.Replace(ring)
	d.pool.SetProbes(ring.Probes())
}

// Run serves until ctx ends, then drains: requests in flight are answered
// before the audit log closes, and the log signs its last checkpoint before the
// workers stop. It returns nil after a clean stop, and an error if the daemon
// could not start or continue.
func (d *Daemon) Run(ctx context.Context) error {
	defer d.trail.Close()
	if err := d.bind(); err != nil {
		return err
	}
	defer d.unbind()
	if err := errors.Join(d.loadBudgets(ctx), d.freezes.Load(ctx)); err != nil {
		return err
	}
	ctx, fail := context.WithCancelCause(ctx)
	d.stop, d.fail = func() { fail(nil) }, fail
	defer d.stop()
	watchers := background(ctx, fail)
	defer watchers.end()
	watchers.run(d.runTracer)
	watchers.run(d.runStore)
	watchers.run(d.shareFreezes)
	watchers.run(d.join)
	watchers.run(d.freezes.Run)
	watchers.run(d.trail.Ship)
	if err := errors.Join(d.monitorOverTCP(watchers), d.operate(watchers)); err != nil {
		return err
	}
	workers := background(ctx, fail)
	defer workers.end()
	records := background(ctx, fail)
	defer records.end()
	workers.run(d.pool.Run)
	records.run(d.trail.Run)
	if err := d.start(ctx); err != nil {
		if errors.Is(err, context.Canceled) {
			d.Logger.Info("stopped before it was ready")
			return nil
		}
		return err
	}
	if err := d.trail.CompareWithWitnesses(ctx); err != nil {
		return err
	}
	rest := background(ctx, fail)
	defer rest.end()
	rest.run(d.trail.Witness)
	if err := d.publishKeys(rest); err != nil {
		return err
	}
	d.saveBudgets(rest)
	rest.run(d.watch)
	rest.run(d.rotation.Run)
	return d.serve(ctx)
}

// start waits until every key set in use can sign, or every token has been
// tried. A fault of one token, key or key set does not keep the daemon from
// serving the others, and one that a reload would accept does not keep it from
// starting. The exception is a PIN that every token refused: a start is an
// attempt that may lock them, so a service manager must not repeat it.
func (d *Daemon) start(ctx context.Context) error {
	err := d.pool.WaitReady(ctx)
	if ctx.Err() != nil || d.pool.Refused() {
		return causeOr(ctx, err)
	}
	if err != nil {
		d.Logger.Error("no token can be used; callers get hsm-unavailable until one can", "error", d.explain(err))
	}
	d.refresh()
	if !d.ready.check(ctx) {
		err := d.pool.WaitAll(ctx) // the key may be on a slower token
		d.refresh()
		d.ready.check(ctx)
		if ctx.Err() == nil && err != nil {
			d.Logger.Error("a token can't be used; its key sets can't sign until it can", "error", d.explain(err))
		}
	}
	return causeOr(ctx, ctx.Err())
}

// causeOr returns the failure that canceled ctx or, if none did, err.
func causeOr(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// refresh takes over the inventory that the workers report.
func (d *Daemon) refresh() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refreshLocked()
}

func (d *Daemon) refreshLocked() {
	held := d.holdings()
	if d.ring.Ring().Reflects(held) {
		return
	}
	d.use(d.newRing(d.decisions.sets, held))
	d.publish.SetUnread(held.Unread)
}

// holdings is what is known of the tokens, without the pairs: those that are
// read later may be newer, never older.
func (d *Daemon) holdings() keyset.Holdings {
	return keyset.Holdings{Revision: d.pool.Revision(), Unread: d.pool.Unread(), Unproved: d.ready.health.Refused()}
}

// newRing matches key sets with the pairs on the tokens.
func (d *Daemon) newRing(sets []keyset.Set, held keyset.Holdings) *keyset.Ring {
	held.Pairs = d.pool.Pairs()
	return keyset.New(sets, held, d.ring.Ring(), d.Now)
}

// issuing names the key sets that grants use.
func (d *Daemon) issuing() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.decisions.issuing
}

// watch keeps the ring and the readiness current as tokens and configuration
// change.
func (d *Daemon) watch(ctx context.Context) error {
	changed := make(chan struct{}, 1)
	var checking sync.WaitGroup
	defer checking.Wait()
	checking.Go(func() { d.ready.run(ctx, d.Config.HSM.Probe.Std(), changed) })
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.pool.Changed():
			d.refresh()
		case <-d.reloaded:
		}
		d.publish.Trigger()
		select {
		case changed <- struct{}{}:
		default: // a check is already pending
		}
	}
}

// serve answers callers until ctx ends, or a component fails.
func (d *Daemon) serve(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { d.ready.draining.Store(true) })()
	server := server.New(d.signing, d.serverOptions())
	d.server.Store(server)
	signing, drain := context.WithCancel(ctx)
	var kubernetes sync.WaitGroup
	defer kubernetes.Wait()
	defer drain()
	sockets := d.serveKubernetes(signing, &kubernetes)
	d.reportReady()
	if err := server.Serve(ctx, sockets...); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

func (d *Daemon) explain(err error) error {
	if d.Explain == nil {
		return err
	}
	return d.Explain(err)
}

// reportReady logs the sockets and calls Ready.
func (d *Daemon) reportReady() {
	for _, socket := range d.Config.Listen {
		d.Logger.Info("serving", "socket", socket.Socket, "client", socket.Client)
	}
	if d.Ready != nil {
		d.Ready()
	}
}

// batchWidth is how many requests of a batch run at a time: enough to keep
// every session of every worker busy.
func batchWidth(c *config.Config) int { return 2 * c.HSM.Workers * c.HSM.Sessions }
