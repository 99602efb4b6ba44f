package fleetbudget

import (
	"cmp"
	"slices"
	"time"
)

// maxReported is how many windows one call reports.
const maxReported = 64

// Memory is what a daemon remembers of its own use of windows, from before it
// was leased to after it was counted.
type Memory interface {
	// Spent returns the daemon's uses in the last period of a budget's window.
	Spent(budget string, per time.Duration) []Use
}

// known returns all windows, in order.
func (b *Book) known() []*Window {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]*Window, 0, len(b.windows))
	for _, w := range b.windows {
		all = append(all, w)
	}
	slices.SortFunc(all, func(v, w *Window) int { return cmp.Compare(v.id, w.id) })
	return all
}

// report tells a store that knows nothing of this daemon what it has used, and
// what it may still use. Leases are read before the memory, so a use in between
// counts twice rather than not at all.
func (b *Book) report(now time.Duration, windows []*Window, memory Memory) *call {
	c, recall := b.holdings(now, windows)
	if !recall {
		return c
	}
	for i, w := range windows {
		for _, u := range memory.Spent(w.budget, w.rate.Per) {
			c.fixes = append(c.fixes, fix{line: i, at: -int64(u.Age / time.Microsecond), n: u.Count})
		}
	}
	return c
}

func (b *Book) holdings(now time.Duration, windows []*Window) (*call, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.newCall()
	c.report, c.windows, c.sent = true, windows, now
	for _, w := range windows {
		held := w.holds(now)
		c.lines = append(c.lines, line{
			id: w.id, window: w.rate, used: w.used, target: held, lasts: max(w.ends-now, 0), reported: held,
		})
		w.told, w.asked, w.since = w.used, 0, now
		w.calls++
		b.schedule(w, now)
	}
	return c, b.recall
}

// forget makes the next call find an epoch that this daemon must report in.
func (b *Book) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.epoch = 0
}

// surrender gives back what is leased, of some windows at a time, and returns
// nil once nothing is.
func (b *Book) surrender(now time.Duration) *call {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.newCall()
	c.sent = now
	for len(c.windows) < maxLines && len(b.agenda) > 0 {
		w := b.agenda.pop()
		c.fix(c.include(w), w)
		w.hand, w.target = 0, 0
		c.lines = append(c.lines, line{id: w.id, window: w.rate, used: w.used, lasts: w.lasts()})
	}
	if len(c.windows) == 0 {
		return nil
	}
	return c
}
