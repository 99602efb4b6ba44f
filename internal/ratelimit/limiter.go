// Package ratelimit holds budgets: how often something may happen, in several windows at once.
//
// A [Limiter] takes from all windows of all budgets that a request needs, or from none. Time is a parameter and never runs
// backwards here: a clock that was set back refills nothing. What was spent of windows of a minute or more can be carried over a
// restart with [Limiter.Save] and [Limiter.Load].
package ratelimit

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// The kinds of errors, for errors.Is.
var (
	ErrExceeded   = errors.New("rate limit exceeded")
	ErrImpossible = errors.New("more at once than the limit ever allows")
	ErrUnknown    = errors.New("no such budget")
	ErrInvalid    = errors.New("invalid budget")
	ErrInFlight   = errors.New("too many requests in flight")
	ErrCorrupt    = errors.New("corrupt budgets snapshot")
)

// Limiter holds budgets. It may be used by any number of goroutines: one short lock guards it all, since a request needs several
// budgets at one moment and holding one lock is faster than holding several.
type Limiter struct {
	mu      sync.Mutex
	budgets map[string]*budget
	clock   clock

	inFlight inFlight
}

// budget is a Budget with a meter for each window, in the same order.
type budget struct {
	Budget
	meters  []meter
	retired bool // no longer configured
}

// New makes a limiter whose budgets are unspent. The error wraps [ErrInvalid] and names every budget that is wrong.
func New(budgets []Budget) (*Limiter, error) {
	l := &Limiter{}
	if err := l.Configure(budgets); err != nil {
		return nil, err
	}
	return l, nil
}

// Configure replaces the budgets. What was spent stays spent in every window that stays, which is one of the same budget name and
// the same Per: a reload is no way to a fresh budget. On an error, which is as that of [New], nothing changes.
//
// A budget that is no longer configured can be taken from until the next Configure, since requests that were decided before may
// still need it, and is remembered for as long as anything of it is spent, in case it comes back.
func (l *Limiter) Configure(budgets []Budget) error {
	if err := check(budgets); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	configured := make(map[string]*budget, len(budgets))
	for _, given := range budgets {
		configured[given.Name] = l.carry(given)
	}
	for name, b := range l.budgets {
		if configured[name] == nil && (!b.retired || b.isSpent(l.clock.latest)) {
			b.retired = true
			configured[name] = b
		}
	}
	l.budgets = configured
	return nil
}

func (b *budget) isSpent(at time.Duration) bool {
	return slices.ContainsFunc(b.meters, func(m meter) bool { return len(m.spent(at)) > 0 })
}

// carry makes the meters of a budget, with what its predecessor of the same name has spent.
func (l *Limiter) carry(given Budget) *budget {
	b := &budget{Budget: Budget{given.Name, slices.Clone(given.Windows)}, meters: make([]meter, len(given.Windows))}
	old := l.budgets[given.Name]
	for i, w := range b.Windows {
		if j := old.find(w.Per); j < 0 {
			b.meters[i] = newMeter(w)
		} else if old.Windows[j] == w {
			b.meters[i] = old.meters[j]
		} else {
			b.meters[i] = newMeter(w)
			b.meters[i].replay(old.meters[j].spent(l.clock.latest))
		}
	}
	return b
}

// find returns the place of the window of a period, or -1.
func (b *budget) find(per time.Duration) int {
	if b == nil {
		return -1
	}
	return slices.IndexFunc(b.Windows, func(w Window) bool { return w.Per == per })
}

// Take spends n in every window of every named budget, or nothing at all. A name given twice counts once.
//
// The error is an [*Exceeded] if waiting helps, with the longest of the waits that the windows ask for: after it the same Take
// succeeds unless others took in between. It is an [*Impossible] if n is over a limit, and wraps [ErrUnknown] for a name without a
// budget. An n under 1 is refused with [ErrImpossible] too.
func (l *Limiter) Take(now time.Time, n int, names ...string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, behind := l.clock.read(now)
	var exceeded *Exceeded
	for _, name := range names {
		b, err := l.lookUp(name, n)
		if err != nil {
			return err
		}
		for i, m := range b.meters {
			wait := m.wait(at, n)
			if wait > 0 && (exceeded == nil || wait+behind > exceeded.RetryAfter) {
				exceeded = &Exceeded{Budget: name, Window: b.Windows[i], RetryAfter: wait + behind}
			}
		}
	}
	if exceeded != nil {
		return exceeded
	}
	for i, name := range names {
		if !slices.Contains(names[:i], name) {
			l.budgets[name].take(at, n)
		}
	}
	return nil
}

// lookUp finds a budget that can ever give n.
func (l *Limiter) lookUp(name string, n int) (*budget, error) {
	b := l.budgets[name]
	if b == nil {
		return nil, fmt.Errorf("%w: %q", ErrUnknown, name)
	}
	if n < 1 {
		return nil, fmt.Errorf("%w: take of %d from budget %q", ErrImpossible, n, name)
	}
	for _, w := range b.Windows {
		if n > w.most() {
			return nil, &Impossible{Budget: name, Window: w, N: n}
		}
	}
	return b, nil
}

func (b *budget) take(at time.Duration, n int) {
	for _, m := range b.meters {
		m.take(at, n)
	}
}

// Left is what is left of one window.
type Left struct {
	Limit     int
	Per       time.Duration
	Burst     int
	Remaining int           // what a Take could have now
	ResetIn   time.Duration // until all of it is there again, if nothing is taken; 0 if it is
}

// Left reports on every window of a budget, in the order given; nothing for a name without one.
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
		remaining, reset := b.meters[i].left(at)
		if reset > 0 {
			reset += behind
		}
		left[i] = Left{Limit: w.Limit, Per: w.Per, Burst: w.Burst, Remaining: remaining, ResetIn: reset}
	}
	return left
}

// Exceeded says which window is spent, and how long to wait. It unwraps to [ErrExceeded].
type Exceeded struct {
	Budget     string
	Window     Window
	RetryAfter time.Duration // greater than 0
}

func (e *Exceeded) Error() string {
	unit := time.Millisecond
	if e.RetryAfter > 10*time.Second {
		unit = time.Second
	}
	wait := (e.RetryAfter + unit - 1).Truncate(unit) // never too early
	return fmt.Sprintf("budget %q of %v is spent; try again in %s", e.Budget, e.Window, span(wait))
}

// Unwrap returns [ErrExceeded].
func (e *Exceeded) Unwrap() error { return ErrExceeded }

// Impossible says that a take is larger than a window will ever allow. It unwraps to [ErrImpossible].
type Impossible struct {
	Budget string
	Window Window
	N      int
}

func (e *Impossible) Error() string {
	return fmt.Sprintf("budget %q of %v never allows %d at once; ask for at most %d", e.Budget, e.Window, e.N, e.Window.most())
}

// Unwrap returns [ErrImpossible].
func (e *Impossible) Unwrap() error { return ErrImpossible }
