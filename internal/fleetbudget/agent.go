package fleetbudget

import (
	"cmp"
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/ipc"
)

const (
	// Pace is the least time between calls for which no request waits.
	Pace = 250 * time.Millisecond

	// heartbeat is how often a daemon calls without need, so that it hears of a
	// new epoch while the others report.
	heartbeat = time.Second

	// DefaultDeadline is how long a request waits for the store.
	DefaultDeadline = 50 * time.Millisecond

	// reportDeadline is for calls that say much.
	reportDeadline = 2 * time.Second
)

// Store runs the budgets' script.
type Store interface {
	// Run runs [Script] with keys of one hash slot, on the server that writes. It
	// must not run it twice: an error means that it may have run, or may still.
	Run(ctx context.Context, keys []string, args []any) (any, error)
}

// Options are the parts of an Agent. All but Daemon and the durations are
// required.
type Options struct {
	Store    Store
	Prefix   string        // of all keys, and their hash tag
	Daemon   string        // a name that is new each time that the daemon starts; "" for a random one
	Deadline time.Duration // how long a request waits for the store; DefaultDeadline if 0
	// Reporting and Shortest replace [DefaultReporting] and [DefaultShortest], if
	// they are not 0. All daemons need the same.
	Reporting, Shortest time.Duration
	Memory              Memory
	// Now is a clock that nobody can set, and that goes on while the machine is
	// suspended.
	Now    func() time.Duration
	Logger logging.Logger
}

// Agent asks the store for what a Book lacks. One call is under way at a time;
// requests that come meanwhile share the next one.
type Agent struct {
	Options
	book     *Book
	throttle *logging.Throttle
	wake     chan struct{}

	mu     sync.Mutex
	queue  []*waiter
	status ipc.SharedBudgets
}

// New returns an agent that has not called the store. It starts nothing.
func New(o Options) *Agent {
	if o.Daemon == "" {
		o.Daemon = rand.Text()
	}
	if o.Deadline == 0 {
		o.Deadline = DefaultDeadline
	}
	book := NewBook(o.Daemon, o.Deadline)
	book.reporting, book.shortest = cmp.Or(o.Reporting, DefaultReporting), cmp.Or(o.Shortest, DefaultShortest)
	return &Agent{
		Options: o, book: book, wake: make(chan struct{}, 1),
		throttle: logging.NewThrottle(time.Now), status: ipc.SharedBudgets{State: ipc.BudgetsJoining},
	}
}

// Book returns the agent's book.
func (a *Agent) Book() *Book { return a.book }

// Status returns the present state.
func (a *Agent) Status() ipc.SharedBudgets {
	a.mu.Lock()
	s := a.status
	a.mu.Unlock()
	s.Daemons, s.Windows = a.book.size()
	s.Leased = a.book.leased(a.Now())
	return s
}

func (a *Agent) state() ipc.SharedState {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.status.State
}

// Owe counts n uses that were allowed without the store.
func (a *Agent) Owe(n int, windows []*Window) { a.book.Owe(a.Now(), n, windows) }

// Refund gives back what Take returned.
func (a *Agent) Refund(t *Taken) { t.Refund(a.Now()) }

// waiter is a request that waits for the store.
type waiter struct {
	asking
	done    chan error
	settled atomic.Bool // it has a result, or gave up
}

// Take spends n in all windows or in none. It asks the store only if a lease is
// used up. The error is a [*Spent] if waiting helps, an [*Unavailable] if the
// store doesn't answer within the deadline, or that of ctx.
func (a *Agent) Take(ctx context.Context, n int, windows []*Window) (*Taken, error) {
	taken, short, err := a.book.take(a.Now(), n, windows)
	if err != nil || len(short) == 0 {
		return taken, err
	}
	w := &waiter{asking: asking{n: n, windows: short, taken: taken}, done: make(chan error, 1)}
	if err := a.enqueue(w); err != nil {
		taken.Refund(a.Now())
		return nil, err
	}
	if err := a.await(ctx, w); err != nil {
		return nil, err
	}
	return taken, nil
}

// enqueue fails at once while the store is away.
func (a *Agent) enqueue(w *waiter) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.status.State == ipc.BudgetsAway {
		return &Unavailable{heartbeat, "the store doesn't answer"}
	}
	a.queue = append(a.queue, w)
	select {
	case a.wake <- struct{}{}:
	default:
	}
	return nil
}

// await waits for a result. What comes after the deadline is given back.
func (a *Agent) await(ctx context.Context, w *waiter) error {
	timer := time.NewTimer(a.Deadline)
	defer timer.Stop()
	err := error(&Unavailable{a.Deadline, "the store didn't answer in time"})
	select {
	case err := <-w.done:
		return err
	case <-timer.C:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if w.settled.CompareAndSwap(false, true) {
		return err
	}
	return <-w.done
}

// finish hands out the results.
func (a *Agent) finish(waiters []*waiter, results []error) {
	for i, w := range waiters {
		if w.settled.CompareAndSwap(false, true) {
			w.done <- results[i]
		} else if results[i] == nil {
			w.taken.Refund(a.Now())
		}
	}
}

// Run calls the store until ctx ends, and then gives back what is leased,
// within the deadline.
func (a *Agent) Run(ctx context.Context) error {
	var last time.Duration // when the last call was made
	for {
		a.pause(ctx, last)
		if ctx.Err() != nil {
			return a.leave()
		}
		now := a.Now()
		waiters := a.waiting()
		if c := a.book.compose(now, askings(waiters), now-last >= a.patience() || last == 0); c != nil {
			last = now
			a.call(ctx, c, waiters)
		}
	}
}

// pause waits until there is a reason to call.
func (a *Agent) pause(ctx context.Context, last time.Duration) {
	if last == 0 {
		return
	}
	wait := last + a.patience()
	if due, any := a.book.due(); any {
		wait = min(wait, max(due, last+Pace))
	}
	timer := time.NewTimer(wait - a.Now())
	defer timer.Stop()
	select {
	case <-a.wake:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// patience is how long to wait with nothing to say.
func (a *Agent) patience() time.Duration {
	if a.state() == ipc.BudgetsAway {
		return Pace
	}
	return heartbeat
}

func (a *Agent) waiting() []*waiter {
	a.mu.Lock()
	defer a.mu.Unlock()
	waiters := a.queue
	a.queue = nil
	return slices.DeleteFunc(waiters, a.abandoned)
}

// abandoned gives back what a request took that has given up.
func (a *Agent) abandoned(w *waiter) bool {
	if !w.settled.Load() {
		return false
	}
	w.taken.Refund(a.Now())
	return true
}

func askings(waiters []*waiter) []*asking {
	all := make([]*asking, len(waiters))
	for i, w := range waiters {
		all[i] = &w.asking
	}
	return all
}

// call makes one call, and reports if the store asks for it.
func (a *Agent) call(ctx context.Context, c *call, waiters []*waiter) {
	answer, err := a.run(ctx, c, a.Deadline)
	if err != nil {
		a.finish(waiters, a.book.lost(askings(waiters), a.Now(), &Unavailable{heartbeat, "the store doesn't answer"}))
		return
	}
	results, report := a.book.settle(c, answer, askings(waiters), a.Now())
	a.finish(waiters, results)
	if report {
		a.report(ctx)
	}
}

// report tells the store what this daemon remembers. If the store begins yet
// another epoch meanwhile, the next call starts over.
func (a *Agent) report(ctx context.Context) {
	a.mu.Lock()
	a.status.Epochs++
	a.mu.Unlock()
	for windows := range slices.Chunk(a.book.known(), maxReported) {
		c := a.book.report(a.Now(), windows, a.Memory)
		answer, err := a.run(ctx, c, reportDeadline)
		if err != nil {
			a.book.forget()
			return
		}
		if _, again := a.book.settle(c, answer, nil, a.Now()); again {
			a.book.forget()
			return
		}
	}
}

// run runs the script and keeps the status.
func (a *Agent) run(ctx context.Context, c *call, deadline time.Duration) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	reply, err := a.Store.Run(ctx, c.keys(a.Prefix), c.args())
	var got *answer
	if err == nil {
		got, err = c.parse(reply)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	before := a.status.State
	if err != nil {
		a.status.Failed++
		a.status.State, a.status.Error = ipc.BudgetsAway, err.Error()
		a.throttle.Log(a.Logger.Warn, "store", "shared budgets: the store doesn't answer", "error", err)
		return nil, err
	}
	a.status.Answered++
	a.status.State, a.status.Error = ipc.BudgetsShared, ""
	if got.gathers > 0 {
		a.status.State = ipc.BudgetsReporting
	}
	if a.status.State != before {
		a.Logger.Info("shared budgets", "state", string(a.status.State), "daemons", got.hosts)
	}
	return got, nil
}

// leave gives everything back.
func (a *Agent) leave() error {
	left := a.waiting()
	a.finish(left, a.book.lost(askings(left), a.Now(), &Unavailable{heartbeat, "the daemon stops"}))
	for {
		c := a.book.surrender(a.Now())
		if c == nil {
			return nil
		}
		if _, err := a.run(context.Background(), c, a.Deadline); err != nil {
			return nil
		}
	}
}
