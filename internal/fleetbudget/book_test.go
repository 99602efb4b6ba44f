package fleetbudget

import (
	"errors"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/rate"
)

// pair is a book and a store, without a network between them.
type pair struct {
	t     *testing.T
	book  *Book
	store *model
	now   time.Duration
}

type noMemory struct{}

func (noMemory) Spent(string, time.Duration) []Use { return nil }

// newPair returns a book that a store knows and gives leases to.
func newPair(t *testing.T) *pair {
	p := &pair{t: t, book: NewBook("daemon", DefaultDeadline), store: newModel(1e15), now: time.Hour}
	p.exchange()
	p.pass(time.Minute)
	return p
}

func (p *pair) pass(d time.Duration) {
	p.now += d
	p.store.now += micros(d)
}

// exchange makes a call, and reports if the store asks for it.
func (p *pair) exchange(waiting ...*asking) []error {
	c := p.book.compose(p.now, waiting, true)
	results, report := p.book.settle(c, p.store.exec(c), waiting, p.now)
	if report {
		c := p.book.report(p.now, p.book.known(), noMemory{})
		p.book.settle(c, p.store.exec(c), nil, p.now)
	}
	return results
}

// take takes 1 from each window, and asks if it must.
func (p *pair) take(windows ...*Window) (*Taken, error) {
	taken, short, err := p.book.take(p.now, 1, windows)
	if err != nil || len(short) == 0 {
		return taken, err
	}
	return taken, p.exchange(&asking{1, short, taken})[0]
}

// lease makes the book lease tokens of a window.
func (p *pair) lease(w *Window) {
	p.t.Helper()
	for range 100 {
		if w.hand > 10 {
			return
		}
		if _, err := p.take(w); err != nil {
			p.t.Fatal(err)
		}
		p.pass(10 * time.Millisecond)
	}
	p.t.Fatal("nothing is leased")
}

func (p *pair) room(w *Window) int {
	return p.store.windows[w.id].room(p.store.now)
}

func TestTakeIsAllOrNothing(t *testing.T) {
	p := newPair(t)
	one, many := p.book.Window("one", rate.Window{Limit: 1, Per: time.Minute}), p.book.Window("many", rate.Window{Limit: 10000, Per: time.Minute})
	p.lease(many)
	hand := many.hand
	if _, err := p.take(one, many); err != nil || many.hand != hand-1 {
		t.Fatal(err, many.hand, hand)
	}
	var spent *Spent
	if _, err := p.take(one, many); !errors.As(err, &spent) || spent.Window != one || spent.RetryAfter < 59*time.Second {
		t.Fatal(err)
	}
	if many.hand != hand-1 {
		t.Errorf("a refused request took from a lease: %d of %d left", many.hand, hand-1)
	}
}

func TestRefund(t *testing.T) {
	for _, window := range []rate.Window{{Limit: 10000, Per: time.Minute}, {Limit: 10000, Per: time.Minute, Burst: 5000}, {Limit: 20, Per: time.Minute}} {
		p := newPair(t)
		w := p.book.Window("budget", window)
		if w.rate.Limit > 20 {
			p.lease(w)
		} else if _, err := p.take(w); err != nil {
			t.Fatal(err)
		}
		p.exchange()
		before := p.room(w) + w.hand
		taken, err := p.take(w)
		if err != nil {
			t.Fatal(err)
		}
		p.pass(time.Millisecond)
		taken.Refund(p.now)
		taken.Refund(p.now)
		p.pass(3 * time.Second)
		p.exchange()
		if after := p.room(w) + w.hand; after < before {
			t.Errorf("%v: %d left, %d before a use that was given back", window, after, before)
		}
	}
}

// TestRefundAfterCall gives back what the store has counted.
func TestRefundAfterCall(t *testing.T) {
	p := newPair(t)
	w := p.book.Window("budget", rate.Window{Limit: 10000, Per: time.Minute})
	p.lease(w)
	taken, _ := p.take(w)
	p.pass(2 * time.Second)
	p.exchange()
	before := p.store.windows[w.id].total
	taken.Refund(p.now)
	p.pass(2 * time.Second)
	p.exchange()
	if after := p.store.windows[w.id].total; after != before-1 {
		t.Errorf("%d counted, %d before", after, before)
	}
}

// TestIdle gives back what is not used.
func TestIdle(t *testing.T) {
	p := newPair(t)
	w := p.book.Window("budget", rate.Window{Limit: 10000, Per: time.Minute})
	p.lease(w)
	for range 20 {
		p.pass(w.interval())
		if _, any := p.book.due(); any {
			p.exchange()
		}
	}
	if held := p.store.windows[w.id].held; held != 0 || w.hand != 0 || w.place >= 0 {
		t.Errorf("%d leased, %d in hand", held, w.hand)
	}
}

// TestLostAnswer has the store give a lease that the daemon doesn't hear of,
// and take back one that it still has.
func TestLostAnswer(t *testing.T) {
	p := newPair(t)
	w := p.book.Window("budget", rate.Window{Limit: 10000, Per: time.Minute})
	p.lease(w)
	for range 30 {
		p.pass(w.interval())
		c := p.book.compose(p.now, nil, true)
		p.store.exec(c)
		p.book.lost(nil, p.now, ErrUnavailable)
		if held := p.store.windows[w.id].held; w.holds(p.now) > held {
			t.Fatalf("the daemon has %d, the store counts %d", w.hand, held)
		}
	}
}

// TestOvertaken executes a call after a later one.
func TestOvertaken(t *testing.T) {
	p := newPair(t)
	w := p.book.Window("budget", rate.Window{Limit: 10000, Per: time.Minute})
	p.lease(w)
	late := p.book.compose(p.now, nil, true)
	p.exchange()
	held := p.store.windows[w.id].held
	if a := p.store.exec(late); a.kind != overtaken || p.store.windows[w.id].held != held {
		t.Errorf("%+v; %d leased, %d before", a, p.store.windows[w.id].held, held)
	}
}

// TestLeaseEnds counts a lease from its end, which is never before that of the
// daemon.
func TestLeaseEnds(t *testing.T) {
	p := newPair(t)
	w := p.book.Window("budget", rate.Window{Limit: 10000, Per: time.Minute})
	p.lease(w)
	p.pass(w.ends - p.now - 1)
	if w.holds(p.now) == 0 {
		t.Error("a lease ended early")
	}
	p.pass(time.Microsecond)
	if w.holds(p.now) != 0 {
		t.Error("a lease goes on after its end")
	}
}

// TestClockSet moves the store's clock either way: what it then grants is not
// used, and a new epoch begins.
func TestClockSet(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour, 2 * time.Second} {
		p := newPair(t)
		w := p.book.Window("budget", rate.Window{Limit: 5, Per: time.Minute})
		for range 5 {
			if _, err := p.take(w); err != nil {
				t.Fatal(err)
			}
		}
		p.pass(time.Second) // and the refusal that the daemon remembers
		epoch := p.store.state.epoch
		p.store.now += micros(by)
		w.spent = 0
		if _, err := p.take(w); err == nil {
			t.Errorf("%v: a grant by a clock that was set is used", by)
		}
		p.exchange()
		if p.store.state.epoch == epoch {
			t.Errorf("%v: no new epoch", by)
		}
		if by > 0 {
			continue
		}
		p.pass(time.Minute)
		if _, err := p.take(w); err != nil {
			t.Errorf("%v: %v", by, err)
		}
	}
}

// TestLowerLeaseNumber has a store forget leases and keep its replication ID.
func TestLowerLeaseNumber(t *testing.T) {
	p := newPair(t)
	w := p.book.Window("budget", rate.Window{Limit: 10000, Per: time.Minute})
	p.lease(w)
	epoch := p.store.state.epoch
	p.store.state.number--
	p.exchange()
	if p.store.state.epoch == epoch {
		t.Error("no new epoch")
	}
	if got := p.store.windows[w.id].held; got != w.hand {
		t.Errorf("the store counts %d, the daemon has %d", got, w.hand)
	}
}
