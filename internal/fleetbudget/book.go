// Package fleetbudget keeps rate budgets that many daemons share, in a store
// that speaks the protocol of Redis.
//
// A daemon takes leases: tokens of a window that it pays before it uses them,
// until the lease ends. The store counts a lease as used from the moment when
// the daemon says that it was, or when it ends, and never from an earlier one.
// So what is used late counts late, and in no period of a window do all daemons
// together use more than its limit.
//
// To see that, take any period, and the last grant in it. All tokens that were
// used in the period were granted by then, and none had left the window: each
// had been counted after it was used, or not yet. A grant leaves their sum
// within the limit. A bucket is the same with its burst: what is leased lowers
// its level until it counts.
//
// [Book] does the accounting of a daemon, without I/O and with the time as a
// parameter. [Agent] talks to the store.
package fleetbudget

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/assertd/assertd/internal/rate"
)

// maxLines is how many windows one call renews.
const maxLines = 128

// The store's clock may gain or lose this much between two calls, and one part
// in drift. Beyond that it was set.
const (
	clockSlack = 500 * time.Millisecond
	drift      = 1000
)

// DefaultReporting is how long daemons can report in a new epoch before leases
// are given again: a few heartbeats. While reports come in, it goes on.
const DefaultReporting = 5 * time.Second

// ErrUnavailable means that the store can't answer for a window, and that
// nothing of it is leased.
var ErrUnavailable = errors.New("the shared budgets are not available")

// Unavailable says when to try again. It unwraps to [ErrUnavailable].
type Unavailable struct {
	RetryAfter time.Duration // always positive
	Reason     string
}

func (e *Unavailable) Error() string { return ErrUnavailable.Error() + ": " + e.Reason }

// Unwrap returns [ErrUnavailable].
func (e *Unavailable) Unwrap() error { return ErrUnavailable }

// Spent says which window has no room and how long to wait.
type Spent struct {
	Window     *Window
	RetryAfter time.Duration // always positive
}

func (e *Spent) Error() string {
	return fmt.Sprintf("the fleet has spent budget %q of %v", e.Window.budget, e.Window.rate)
}

// Use is tokens of windows from some time to now: how long ago the last one was
// taken, and how many.
type Use struct {
	Age   time.Duration
	Count int
}

// Book is the accounting of one daemon. It is safe for concurrent use. Times
// are those of a clock that nobody can set, and that goes on while the machine
// is suspended.
type Book struct {
	daemon    string
	slack     time.Duration // how long a group may take to use what it got
	reporting time.Duration // see DefaultReporting
	shortest  time.Duration // see DefaultShortest

	mu      sync.Mutex
	windows map[string]*Window
	agenda  agenda

	order  int64 // of calls
	epoch  int64 // 0: the next answer is of another
	seen   int64
	hosts  int
	joined bool
	recall bool // a report has what the daemon remembers

	store  int64         // its time at the last answer
	sent   time.Duration // when that call was sent
	got    time.Duration // and answered
	jumped bool          // its clock was set
}

// NewBook returns a book without windows. The name of the daemon is different
// each time that it starts. What a request asks for must be used within slack.
func NewBook(daemon string, slack time.Duration) *Book {
	return &Book{
		daemon: daemon, slack: slack, reporting: DefaultReporting, shortest: DefaultShortest, windows: make(map[string]*Window), hosts: 1,
	}
}

// Window returns the window of a budget. A window that had the same period and
// kind keeps its usage; a limit that changed counts from now on.
func (b *Book) Window(budget string, r rate.Window) *Window {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := windowID(budget, r)
	w := b.windows[id]
	if w == nil {
		w = &Window{id: id, budget: budget, place: -1, since: never}
		b.windows[id] = w
	}
	w.rate, w.leased = r, r.Per >= b.shortest
	return w
}

// never is before any time, and far from overflow.
const never = -2 * rate.MaxPer

// windowID is readable for operators. A bucket and a sliding window of the same
// period keep different records.
func windowID(budget string, r rate.Window) string {
	kind := "w"
	if r.Burst > 0 {
		kind = "b"
	}
	return budget + ":" + rate.FormatDuration(r.Per) + ":" + kind
}

// Hosts returns how many daemons the store heard of lately, with this one.
func (b *Book) Hosts() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hosts
}

// size returns the number of daemons and of windows.
func (b *Book) size() (hosts, windows int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hosts, len(b.windows)
}

// Joined reports whether the store has answered since the daemon started.
func (b *Book) Joined() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.joined
}

// Owe counts n uses of windows that the store could not be asked about.
func (b *Book) Owe(now time.Duration, n int, windows []*Window) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range windows {
		w.owe(now, n)
		b.schedule(w, now)
	}
}

// source is where n tokens came from.
type source struct {
	window *Window
	call   int64 // number of calls about the window before
	at     int64 // the store's time at which a group's tokens count; 0 for a lease
}

// Taken is what a request took from shared windows.
type Taken struct {
	book  *Book
	n     int
	epoch int64
	from  []source
}

// Refund gives back what was taken, as if it had never been. What a bucket has
// regained since is not given back again. A second Refund does nothing.
func (t *Taken) Refund(now time.Duration) {
	b := t.book
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refund(t, now)
}

func (b *Book) refund(t *Taken, now time.Duration) {
	if t.epoch == b.epoch {
		for _, s := range t.from {
			s.window.giveBack(s, t.n)
			b.schedule(s.window, now)
		}
	}
	t.from = nil
}

// take spends n of what is leased in all windows but those that it returns,
// which have no tokens left. It spends nothing if there is an error, a
// [*Spent].
func (b *Book) take(now time.Duration, n int, windows []*Window) (*Taken, []*Window, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var short []*Window
	for _, w := range windows {
		if w.holds(now) >= n {
			continue
		}
		if now < w.spent {
			return nil, nil, &Spent{w, max(w.opens-now, w.spent-now)}
		}
		short = append(short, w)
	}
	t := &Taken{book: b, n: n, epoch: b.epoch, from: make([]source, 0, len(windows))}
	for _, w := range windows {
		if w.hand >= n {
			low := w.low()
			t.from = append(t.from, w.use(n))
			if w.low() != low || w.place < 0 {
				b.schedule(w, now)
			}
		}
	}
	return t, short, nil
}

// asking is a request that needs more than is leased.
type asking struct {
	n       int
	windows []*Window
	taken   *Taken
}

// compose builds a call from the requests that wait and the windows that are
// due.
// It returns nil if there is neither and the call is not made for its own sake.
func (b *Book) compose(now time.Duration, waiting []*asking, always bool) *call {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.newCall()
	c.sent = now
	for _, a := range waiting {
		g := group{n: a.n}
		for _, w := range a.windows {
			w.asked += a.n
			g.lines = append(g.lines, c.include(w))
		}
		c.groups = append(c.groups, g)
	}
	for len(c.windows) < maxLines && len(b.agenda) > 0 && b.agenda[0].due <= now {
		c.include(b.agenda.pop())
	}
	if len(c.windows) == 0 && !always {
		return nil
	}
	c.lines = make([]line, 0, len(c.windows))
	for i, w := range c.windows {
		c.lines = append(c.lines, w.line(now))
		c.fix(i, w)
		b.schedule(w, now)
	}
	return c
}

// include returns the index of a window's line.
func (c *call) include(w *Window) int {
	if w.order != c.order {
		w.order, w.index = c.order, len(c.windows)
		c.windows = append(c.windows, w)
	}
	return w.index
}

// fix moves what a window has given back, and what it owes, into the call.
func (c *call) fix(line int, w *Window) {
	w.telling = append(w.telling, w.unpaid...)
	w.unpaid = nil
	for _, u := range w.telling {
		c.fixes = append(c.fixes, fix{line: line, at: -int64((c.sent - u.at) / time.Microsecond), n: u.n})
	}
	for _, f := range w.fixes {
		c.fixes = append(c.fixes, fix{line: line, at: f.at, n: f.n})
	}
	w.fixes = nil
}

func (b *Book) newCall() *call {
	b.order++
	return &call{daemon: b.daemon, order: b.order, epoch: b.epoch, seen: b.seen, force: b.jumped, slack: micros(b.slack), gather: micros(b.reporting)}
}

// schedule puts a window where it belongs in the agenda.
func (b *Book) schedule(w *Window, now time.Duration) {
	due, any := w.next(now)
	if !any {
		b.agenda.remove(w)
		return
	}
	w.due = due
	b.agenda.put(w)
}

// due returns when the next call is due, if any is.
func (b *Book) due() (time.Duration, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.agenda) == 0 {
		return 0, false
	}
	return b.agenda[0].due, true
}

// settle takes in the store's answer to a call, and returns what came of each
// group: nil, a [*Spent] or an [*Unavailable]. The second result says that the
// daemon must report what it remembers.
func (b *Book) settle(c *call, a *answer, waiting []*asking, now time.Duration) ([]error, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a.kind == newEpoch || a.epoch != b.epoch {
		b.enter(c, a, now)
		return b.refuseAll(waiting, now, &Unavailable{b.slack, "the store has lost its state; the daemons report what they remember"}), true
	}
	if a.kind == overtaken || !c.report && now-c.sent > b.slack {
		return b.refuseAll(waiting, now, &Unavailable{b.slack, "the store's answer came too late"}), false
	}
	if !b.steady(c, a, now) {
		return b.refuseAll(waiting, now, &Unavailable{b.slack, "the store's clock was set"}), false
	}
	b.observe(c, a, now)
	for i, w := range c.windows {
		if !c.report {
			w.answer(c.lines[i], a.lines[i], c.sent, now, a.now)
			b.schedule(w, now)
		}
	}
	return b.verdicts(c, a, waiting, now), false
}

// enter begins an epoch in which the store knows nothing of this daemon.
func (b *Book) enter(c *call, a *answer, now time.Duration) {
	// An epoch that goes on has counted what this daemon used before it restarted.
	b.recall = b.joined || a.gathers > 0
	b.epoch, b.joined, b.jumped = a.epoch, true, false
	b.observe(c, a, now)
	for _, w := range b.windows {
		w.fixes, w.unpaid, w.telling, w.counted = nil, nil, nil, [remembered]int64{}
		w.spent = 0
	}
}

// observe notes what each answer says.
func (b *Book) observe(c *call, a *answer, now time.Duration) {
	b.seen = max(b.seen, a.number)
	b.hosts = max(a.hosts, 1)
	b.store, b.sent, b.got = a.now, c.sent, now
}

// steady reports whether the store's clock went on as this daemon's did. If
// not, what windows have counted is wrong, and daemons must report.
func (b *Book) steady(c *call, a *answer, now time.Duration) bool {
	passed := time.Duration(a.now-b.store) * time.Microsecond
	slack := clockSlack + (now-b.sent)/drift
	b.jumped = passed < c.sent-b.got-slack || passed > now-b.sent+slack
	return !b.jumped
}

func (b *Book) verdicts(c *call, a *answer, waiting []*asking, now time.Duration) []error {
	results := make([]error, len(waiting))
	for i, ask := range waiting {
		switch v := a.groups[i]; {
		case a.kind == gathering:
			results[i] = &Unavailable{max(a.gathers, time.Millisecond), "the daemons report what they remember to a store that lost its state"}
		case v.line >= 0 && v.line < len(c.windows):
			w := c.windows[v.line]
			w.refuse(now, v.wait, 0)
			results[i] = &Spent{w, max(v.wait, time.Millisecond)}
		default:
			for _, w := range ask.windows {
				ask.taken.from = append(ask.taken.from, source{window: w, at: a.now + c.slack})
			}
		}
	}
	return b.undo(waiting, results, now)
}

func (b *Book) refuseAll(waiting []*asking, now time.Duration, err error) []error {
	results := make([]error, len(waiting))
	for i := range results {
		results[i] = err
	}
	return b.undo(waiting, results, now)
}

// undo gives back what refused requests took from other windows.
func (b *Book) undo(waiting []*asking, results []error, now time.Duration) []error {
	for i, err := range results {
		if err != nil {
			b.refund(waiting[i].taken, now)
		}
	}
	return results
}

// lost refuses the requests of a call that was not answered.
func (b *Book) lost(waiting []*asking, now time.Duration, err error) []error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refuseAll(waiting, now, err)
}
