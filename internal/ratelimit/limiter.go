// Package ratelimit enforces budgets: how often something can happen, in
// several windows at once.
//
// A [Limiter] takes from all windows of all budgets that a request needs, or
// from none, and gives back what turned out not to be used. Time is a
// parameter, and never runs backward: a clock that is set back refills nothing.
// The usage of windows of a minute or longer survives a restart with
// [Limiter.Save] and [Limiter.Load].
package ratelimit

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/assertd/assertd/internal/rate"
)

// The kinds of errors, for errors.Is.
var (
	ErrExceeded   = errors.New("rate limit exceeded")
	ErrImpossible = errors.New("more than the limit ever allows at once")
	ErrUnknown    = errors.New("no such budget")
	ErrInvalid    = errors.New("invalid budget")
	ErrInFlight   = errors.New("too many requests in flight")
	ErrCorrupt    = errors.New("corrupt budgets snapshot")
	// ErrUnavailable means that a window of the fleet can't be asked about.
	ErrUnavailable = errors.New("the shared budgets are not available")
)

// Limiter enforces budgets. It is safe for concurrent use. A single lock guards
// it, held only briefly: a request needs several budgets at once, and taking
// one lock is faster than taking several.
type Limiter struct {
	mu      sync.Mutex
	budgets map[string]*budget // replaced as a whole
	clock   clock
	changes uint64 // takes, refunds and restores so far

	saving sync.Mutex // held during Save, never together with a decision
	saved  saved

	inFlight inFlight
	fleet    *fleet // nil without one
}

// budget is a Budget with one counter per window, in the same order.
type budget struct {
	Budget
	counters []*counter
	shared   []shared // the windows of the fleet, which the counters only remember
	capacity int      // the most that all windows allow at once
	retired  bool     // no longer configured
}

// New returns a limiter whose budgets are unspent. The error wraps [ErrInvalid]
// and names every invalid budget.
func New(budgets []Budget) (*Limiter, error) {
	l := &Limiter{}
	if err := l.Configure(budgets); err != nil {
		return nil, err
	}
	return l, nil
}

// Configure replaces the budgets. A window that stays, that is, one with the
// same budget name and Per, keeps its usage: a reload doesn't reset budgets. On
// an error, which is the same as that of [New], nothing changes.
//
// Requests can take from a removed budget until the next Configure, since some
// may already have been decided. A removed budget is remembered while any of it
// is spent, in case it comes back.
func (l *Limiter) Configure(budgets []Budget) error {
	p, err := l.Prepare(budgets)
	if err == nil {
		l.Use(p)
	}
	return err
}

func (b *budget) isSpent(at time.Duration) bool {
	return slices.ContainsFunc(b.counters, func(c *counter) bool { return len(c.spent(at)) > 0 })
}

// carry creates the counters of a budget, with the usage of the previous budget
// of the same name.
func (l *Limiter) carry(given Budget) *budget {
	old := l.budgets[given.Name]
	b := &budget{
		Budget: Budget{given.Name, slices.Clone(given.Windows)}, counters: make([]*counter, len(given.Windows)), capacity: math.MaxInt,
	}
	for i, w := range b.Windows {
		b.capacity = min(b.capacity, w.Capacity())
		if j := old.find(w.Per); j < 0 {
			b.counters[i] = newCounter(w)
		} else {
			b.counters[i] = old.counters[j].carry(w, l.clock.latest)
		}
		if w.Fleet {
			b.shared = append(b.shared, l.fleet.share(b, i))
		}
	}
	return b
}

// find returns the index of the window with a period, or -1.
func (b *budget) find(per time.Duration) int {
	if b == nil {
		return -1
	}
	return slices.IndexFunc(b.Windows, func(w rate.Window) bool { return w.Per == per })
}

// Take spends n in every window of every named budget, or nothing at all. A
// repeated name counts once. What it returns can give n back. Windows of the
// fleet are taken with [Taken.Share].
//
// The error is an [*Exceeded] if waiting helps. It has the longest wait of all
// windows: after that the same Take succeeds, unless others took in between.
// The error is an [*Impossible] if n exceeds a limit, and wraps [ErrUnknown] if
// a name has no budget. An n below 1 is also [ErrImpossible].
func (l *Limiter) Take(now time.Time, n int, names ...string) (*Taken, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, behind := l.clock.read(now)
	if err := l.refusal(at, behind, n, names); err != nil {
		return nil, err
	}
	l.changes++
	taken := &Taken{limiter: l, at: at, n: n}
	for i, name := range names {
		if !slices.Contains(names[:i], name) {
			taken.spend(l.budgets[name])
		}
	}
	return taken, nil
}

// refusal returns why n can't be taken now, or nil.
func (l *Limiter) refusal(at, behind time.Duration, n int, names []string) error {
	var exceeded *Exceeded
	for _, name := range names {
		b, err := l.lookUp(name, n)
		if err != nil {
			return err
		}
		for i, m := range b.counters {
			if b.Windows[i].Fleet {
				continue
			}
			wait := m.wait(at, n)
			if wait > 0 && (exceeded == nil || wait+behind > exceeded.RetryAfter) {
				exceeded = &Exceeded{Budget: name, Window: b.Windows[i], RetryAfter: wait + behind}
			}
		}
	}
	if exceeded != nil {
		return exceeded
	}
	return nil
}

// lookUp finds a budget that can allow n at some time.
func (l *Limiter) lookUp(name string, n int) (*budget, error) {
	b := l.budgets[name]
	if b == nil {
		return nil, fmt.Errorf("%w: %q", ErrUnknown, name)
	}
	if n < 1 {
		return nil, fmt.Errorf("%w: take of %d from budget %q", ErrImpossible, n, name)
	}
	if n > b.capacity {
		i := slices.IndexFunc(b.Windows, func(w rate.Window) bool { return n > w.Capacity() })
		return nil, &Impossible{Budget: name, Window: b.Windows[i], N: n}
	}
	return b, nil
}

// Left is the remainder of one window.
type Left struct {
	Window    rate.Window
	Remaining int           // what can be taken now
	ResetIn   time.Duration // until the window is full again if nothing is taken; 0 if it is full
}

// Left returns the remainder of every window of a budget, in the configured
// order, or nil for an unknown budget.
func (l *Limiter) Left(now time.Time, name string) []Left {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.budgets[name]
	if b == nil {
		return nil
	}
	at, behind := l.clock.read(now)
	left := make([]Left, len(b.Windows))
	for i, w := range b.Windows {
		remaining, reset := b.counters[i].left(at)
		if reset > 0 {
			reset += behind
		}
		left[i] = Left{Window: w, Remaining: remaining, ResetIn: reset}
	}
	return left
}

// Exceeded says which window is spent and how long to wait. It unwraps to
// [ErrExceeded].
type Exceeded struct {
	Budget     string
	Window     rate.Window
	RetryAfter time.Duration // always positive
}

func (e *Exceeded) Error() string {
	return fmt.Sprintf("budget %q of %v is spent; try again in %s", e.Budget, e.Window, e.Wait())
}

// Wait is RetryAfter in words, rounded up: never too early.
func (e *Exceeded) Wait() string {
	unit := time.Millisecond
	if e.RetryAfter > 10*time.Second {
		unit = time.Second
	}
	return rate.FormatDuration((e.RetryAfter + unit - 1).Truncate(unit))
}

// Unwrap returns [ErrExceeded].
func (e *Exceeded) Unwrap() error { return ErrExceeded }

// Impossible says that a window never allows that many at once. It unwraps to
// [ErrImpossible].
type Impossible struct {
	Budget string
	Window rate.Window
	N      int
}

func (e *Impossible) Error() string {
	return fmt.Sprintf("budget %q of %v never allows %d at once; request at most %d", e.Budget, e.Window, e.N, e.Window.Capacity())
}

// Unwrap returns [ErrImpossible].
func (e *Impossible) Unwrap() error { return ErrImpossible }

// clock converts callers' times to durations since the first one, which never
// decrease. Times from time.Now follow the monotonic clock, so setting the wall
// clock changes nothing.
type clock struct {
	base   time.Time
	latest time.Duration
}

// read returns the current time, and how far the given time is behind it. The
// caller must wait that much longer, because nothing is refilled until its
// clock has caught up.
func (c *clock) read(now time.Time) (at, behind time.Duration) {
	if c.base.IsZero() {
		c.base = now
	}
	elapsed := now.Sub(c.base)
	c.latest = max(c.latest, elapsed)
	return c.latest, c.latest - elapsed
}

// inFlight counts requests in flight. It has its own lock, and forgets clients
// that have none.
type inFlight struct {
	mu    sync.Mutex
	count map[string]int
}

// Enter counts a client's request as in flight until leave is called; calling
// leave again does nothing. If that would exceed max, the error wraps
// [ErrInFlight] and leave is nil.
func (l *Limiter) Enter(client string, max int) (leave func(), err error) {
	f := &l.inFlight
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count[client] >= max {
		return nil, fmt.Errorf("%w: client %q can have %d at a time; wait for one to finish", ErrInFlight, client, max)
	}
	if f.count == nil {
		f.count = make(map[string]int)
	}
	f.count[client]++
	return sync.OnceFunc(func() { f.leave(client) }), nil
}

func (f *inFlight) leave(client string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count[client]--; f.count[client] == 0 {
		delete(f.count, client)
	}
}
