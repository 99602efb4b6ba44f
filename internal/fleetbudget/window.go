package fleetbudget

import (
	"time"

	"github.com/assertd/assertd/internal/rate"
)

// DefaultShortest is the shortest period for which tokens are leased. Shorter
// windows ask the store for each request.
const DefaultShortest = time.Minute

const (
	// parts is how many leases a window is used up in, on all daemons together.
	// What is leased and not used is missing elsewhere, so this many limit it to
	// about 1/parts of the window.
	parts = 32

	// eager is how much faster than its pace of late a window may be used: a lease
	// that was used up early is renewed with up to this many times as much.
	eager = 8

	// fewest is the smallest lease; a window that is used more slowly asks each
	// time.
	fewest = 2

	// A window that has no room is not asked about again for a part of its period
	// within these bounds, however many callers try.
	patience                 = 8 * parts
	minPatience, maxPatience = 500 * time.Millisecond, 30 * time.Second

	// remembered is how many calls back a use can be given back.
	remembered = 4
)

// Window is a window that daemons share. Its fields belong to its Book.
type Window struct {
	id     string // of the store's keys
	budget string
	rate   rate.Window
	leased bool // or each request asks

	hand   int           // leased tokens that are left
	ends   time.Duration // of the lease
	target int           // tokens that a renewal asks for

	used  int64 // tokens of leases used so far
	asked int   // tokens that groups took since the last call about this window
	told  int64 // used, at that call
	since time.Duration

	refill time.Duration // no renewal before
	spent  time.Duration // no room until
	opens  time.Duration // when the store said there is room

	calls   int64             // that were sent about this window
	counted [remembered]int64 // the store's times at which uses up to each call count
	fixes   []fix             // for the next call
	unpaid  []unpaid          // uses that the store doesn't know
	telling []unpaid          // those that a call told it, until it is answered
	due     time.Duration     // of the next call
	place   int               // in the agenda; -1 if nothing is due
	order   int64             // of the latest call about this window
	index   int               // of its line there
}

// interval is the time between calls about a window in use.
func (w *Window) interval() time.Duration { return w.rate.Per / parts }

// lasts is the length of a lease: a call can be late by an interval.
func (w *Window) lasts() time.Duration { return 2 * w.interval() }

// holds returns the tokens that can be used now.
func (w *Window) holds(now time.Duration) int {
	if now >= w.ends {
		w.hand = 0
	}
	return w.hand
}

// wants returns how many tokens a call at this time should ask for: what the
// window uses in an interval.
func (w *Window) wants(now time.Duration) int {
	if !w.leased {
		return 0
	}
	elapsed, uses := now-w.since, w.used-w.told+int64(w.asked)
	goal := int(float64(uses) * float64(w.interval()) / float64(max(elapsed, w.interval()/eager)))
	switch {
	case goal >= w.target:
	case elapsed < w.interval(): // too early to tell
		goal = w.target
	case uses > 0:
		goal = (goal + w.target) / 2
	}
	if goal = min(goal, w.rate.Capacity()/parts); goal < fewest {
		return 0
	}
	return goal
}

// low reports whether a renewal should not wait for the end of the interval.
func (w *Window) low() bool { return w.target > 0 && 4*w.hand < w.target }

// next returns when a call about this window is due, and whether there is
// anything to say.
func (w *Window) next(now time.Duration) (time.Duration, bool) {
	switch {
	case w.low():
		return max(w.refill, now), true
	case len(w.fixes)+len(w.unpaid)+len(w.telling) > 0:
		return max(w.since+minPatience, now), true
	case w.hand > 0 || w.used > w.told || w.target > 0:
		return w.since + max(w.interval(), minPatience), true
	}
	return 0, false
}

// patient is how long a window that has no room isn't asked about.
func (w *Window) patient() time.Duration {
	return min(max(w.rate.Per/patience, minPatience), maxPatience)
}

// use takes n from the lease.
func (w *Window) use(n int) source {
	w.hand -= n
	w.used += int64(n)
	return source{window: w, call: w.calls}
}

// line tells the store what was used, and gives back what is too much before
// the store can know: if the answer is lost, this daemon has no more than the
// store thinks.
func (w *Window) line(now time.Duration) line {
	held := w.holds(now)
	w.target = w.wants(now)
	w.hand = min(held, w.target)
	w.told, w.asked, w.since = w.used, 0, now
	w.counted[w.calls%remembered] = 0
	w.calls++
	return line{id: w.id, window: w.rate, used: w.used, target: w.target, lasts: w.lasts()}
}

// answer puts what the store granted into use. The lease is counted from when
// the call was sent, which was before the store saw it.
func (w *Window) answer(l line, h holding, sent, now time.Duration, at int64) {
	w.counted[(w.calls-1)%remembered] = at
	w.telling = nil
	w.hand = max(h.tokens-int(w.used-l.used), 0)
	w.ends = sent + l.lasts
	w.refill = now
	if h.tokens >= l.target {
		return
	}
	w.refill = now + min(h.wait, w.patient())
	if h.tokens == 0 {
		// A renewal goes with others, so it comes before anyone asks.
		w.refuse(now, h.wait, 2*Pace)
	}
}

// refuse remembers that the store has no room.
func (w *Window) refuse(now, wait, grace time.Duration) {
	w.opens = now + wait
	w.spent = now + min(wait, w.patient()+grace)
}

// giveBack returns n that a use took. What a call has told the store is
// corrected there; what it is just being told stays counted.
func (w *Window) giveBack(s source, n int) {
	switch {
	case s.at == 0 && s.call == w.calls:
		w.hand += n
		w.used -= int64(n)
		return
	case s.at == 0 && s.call+remembered >= w.calls:
		s.at = w.counted[s.call%remembered]
	}
	if s.at > 0 {
		w.fixes = append(w.fixes, fix{at: s.at, n: -n})
	}
}

// unpaid is n uses without a lease, the last of them at a time.
type unpaid struct {
	at time.Duration
	n  int
}

// maxUnpaid is how many a window remembers; later uses count with the last one.
const maxUnpaid = 64

func (w *Window) owe(now time.Duration, n int) {
	if end := len(w.unpaid) - 1; end >= 0 && (len(w.unpaid) >= maxUnpaid || now-w.unpaid[end].at < w.interval()) {
		w.unpaid[end].at, w.unpaid[end].n = now, w.unpaid[end].n+n
		return
	}
	w.unpaid = append(w.unpaid, unpaid{now, n})
}
