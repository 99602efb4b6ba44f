package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/assertd/assertd/internal/fleetbudget"
	"github.com/assertd/assertd/internal/rate"
	"github.com/assertd/assertd/ipc"
)

// fleet is what the windows of a fleet need besides the limiter, whose counters
// only remember this host's own use of them.
type fleet struct {
	agent     *fleetbudget.Agent
	hostShare bool
}

// shared is a window of the fleet.
type shared struct {
	*budget
	index  int
	window *fleetbudget.Window
}

func (s shared) rate() rate.Window { return s.Windows[s.index] }

func (s shared) counter() *counter { return s.counters[s.index] }

// NewInFleet returns a limiter whose budgets can have windows that a fleet
// shares. Options need no Memory: that is the limiter. With hostShare, the
// host's own share of a limit stands in for what the store can't be asked
// about.
func NewInFleet(budgets []Budget, options fleetbudget.Options, hostShare bool) (*Limiter, error) {
	l := &Limiter{}
	options.Memory = l
	l.fleet = &fleet{fleetbudget.New(options), hostShare}
	if err := l.Configure(budgets); err != nil {
		return nil, err
	}
	return l, nil
}

// Share keeps the fleet's windows up to date until ctx ends. Without a fleet it
// does nothing.
func (l *Limiter) Share(ctx context.Context) error {
	if l.fleet == nil {
		return nil
	}
	return l.fleet.agent.Run(ctx)
}

// Fleet returns the state of the fleet's windows, or nil if there can be none.
func (l *Limiter) Fleet() *ipc.SharedBudgets {
	if l.fleet == nil {
		return nil
	}
	status := l.fleet.agent.Status()
	return &status
}

// Spent returns what this host used of a window in the last period, for a store
// that has forgotten it.
func (l *Limiter) Spent(name string, per time.Duration) []fleetbudget.Use {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.budgets[name]
	i := b.find(per)
	if i < 0 {
		return nil
	}
	var uses []fleetbudget.Use
	for _, r := range b.counters[i].spent(l.clock.latest) {
		uses = append(uses, fleetbudget.Use{Age: l.clock.latest - r.last, Count: r.count})
	}
	return uses
}

// share makes the window of a budget one of the fleet.
func (f *fleet) share(b *budget, i int) shared {
	w := b.Windows[i]
	return shared{b, i, f.agent.Book().Window(b.Name, w)}
}

// take takes from the fleet's windows, after the limiter has counted it: if the
// store forgets at this moment, the request counts twice rather than not at
// all.
func (f *fleet) take(ctx context.Context, t *Taken) error {
	windows := make([]*fleetbudget.Window, len(t.shared))
	for i, s := range t.shared {
		windows[i] = s.window
	}
	granted, err := f.agent.Take(ctx, t.n, windows)
	l := t.limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	defer t.decided()
	if err == nil {
		t.granted = granted
		return nil
	}
	var spent *fleetbudget.Spent
	switch {
	case errors.As(err, &spent):
		err = t.exceeded(spent)
	case errors.Is(err, fleetbudget.ErrUnavailable) && f.hostShare:
		if err = f.takeHostShare(t, err); err == nil {
			f.agent.Owe(t.n, windows)
			return nil
		}
	case errors.Is(err, fleetbudget.ErrUnavailable):
		err = unavailable(err)
	}
	t.refund(l.clock.latest)
	return err
}

// Unavailable is why a window of the fleet can't be asked about, and when to
// try again. It unwraps to [ErrUnavailable].
type Unavailable struct {
	RetryAfter time.Duration // 0 if it isn't known
	cause      error
}

func (e *Unavailable) Error() string { return e.cause.Error() }

// Unwrap returns [ErrUnavailable] and the cause.
func (e *Unavailable) Unwrap() []error { return []error{ErrUnavailable, e.cause} }

func unavailable(cause error) *Unavailable {
	e := &Unavailable{cause: cause}
	var store *fleetbudget.Unavailable
	if errors.As(cause, &store) {
		e.RetryAfter = store.RetryAfter
	}
	return e
}

func (t *Taken) exceeded(spent *fleetbudget.Spent) error {
	for _, s := range t.shared {
		if s.window == spent.Window {
			return &Exceeded{Budget: s.Name, Window: s.rate(), RetryAfter: spent.RetryAfter}
		}
	}
	return spent
}

// lost is the host's share of a window while the store is away.
type lost struct {
	meter
	window   rate.Window
	answered uint64 // calls to the store before
}

// takeHostShare takes from the host's share of all windows, or from none.
func (f *fleet) takeHostShare(t *Taken, cause error) error {
	book, answered := f.agent.Book(), f.agent.Status().Answered
	for _, s := range t.shared {
		share, ok := hostShare(s.rate(), book.Hosts())
		if !book.Joined() || !ok || share.Capacity() < t.n {
			return unavailable(fmt.Errorf("this host's share of %v is less than %d: %w", s.rate(), t.n, cause))
		}
		if wait := s.counter().share(share, answered, t.at).wait(t.at, t.n); wait > 0 {
			return &Exceeded{Budget: s.Name, Window: share, RetryAfter: wait}
		}
	}
	for _, s := range t.shared {
		s.counter().lost.take(t.at, t.n)
	}
	return nil
}

// hostShare divides a window among hosts. It is false if a host has no whole
// token.
func hostShare(w rate.Window, hosts int) (rate.Window, bool) {
	share := rate.Window{Limit: w.Limit / hosts, Per: w.Per, Burst: w.Burst / hosts}
	return share, share.Check() == nil && (share.Burst > 0) == (w.Burst > 0)
}

// share returns the host's share of a window. It begins with what the host used
// so far, without what is not decided: many requests may wait when the store
// goes away, and each takes from the share by itself. It goes on while the
// store gives no answer.
func (c *counter) share(w rate.Window, answered uint64, at time.Duration) meter {
	if c.lost == nil || c.lost.window != w || c.lost.answered != answered {
		m := replayed(w, c.meter, at)
		m.refund(at, at, c.undecided)
		c.lost = &lost{m, w, answered}
	}
	return c.lost
}
