package fleetbudget

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/rate"
)

var scale = flag.Int("scale", 2000, "simulate one part in `n` of 1,000 daemons and 100,000 budgets")

// TestSimulation runs a fleet through a day of virtual time at more than full
// load. It counts what the receivers get: no window ever passes its limit, most
// of it can be used, and few assertions need the store.
func TestSimulation(t *testing.T) {
	for _, load := range []struct {
		name   string
		demand func(*simBudget, int) int
		usable float64
	}{
		{"even", (*simBudget).even, 0.95},
		{"wandering", (*simBudget).wandering, 0.85},
	} {
		t.Run(load.name, func(t *testing.T) {
			t.Parallel()
			s := newSimulation(max(1000 / *scale, simHosts), 100000 / *scale, load.demand)
			s.run()
			t.Log(s)
			for _, c := range s.classes {
				if c.passed > 0 || c.usable() < load.usable {
					t.Errorf("%v: %d times over the limit, %.3f usable; at least %.2f wanted", c.window, c.passed, c.usable(), load.usable)
				}
			}
			if s.perAssertion() > 0.05 {
				t.Errorf("%.4f calls per assertion", s.perAssertion())
			}
		})
	}
}

const (
	simTick  = 250 * time.Millisecond // between calls without need
	simHosts = 10                     // that have callers of a budget
	simDay   = 24 * time.Hour
)

// class is budgets of one kind. Their callers come at ticks.
type class struct {
	window  rate.Window
	hours   int // in which it is used
	tick    int // in ticks of the simulation
	budgets []*simBudget
	passed  int // how often a period had more than the limit
	used    int // after the first period
}

// simBudget is a budget, and what its receivers count.
type simBudget struct {
	class   *class
	hosts   []*simHost
	windows []*Window // of each host
	owed    []float64 // demand of each host that is not yet a whole token
	counts  []int     // by tick, of the last period
	sum     int
	number  int
}

type simHost struct {
	book   *Book
	offset time.Duration // of its clock
	calls  int
}

type simulation struct {
	store   *model
	hosts   []*simHost
	classes []*class
	demand  func(*simBudget, int) int
	at      time.Duration
	total   int
}

// newSimulation makes mostly budgets per day, some per hour and a few per
// minute, with limits that most sites would have.
func newSimulation(hosts, budgets int, demand func(*simBudget, int) int) *simulation {
	s := &simulation{store: newModel(1e15), demand: demand}
	for i := range hosts {
		s.hosts = append(s.hosts, &simHost{book: NewBook(fmt.Sprint("host", i), DefaultDeadline), offset: time.Duration(i) * time.Minute})
	}
	hours := 24
	if *scale > 1 {
		hours = 1 // the minutes are most of the work
	}
	s.add(max(budgets/10000, 1), rate.Window{Limit: 30000, Per: time.Minute}, 1, hours)
	s.add(max(budgets*3/100, 1), rate.Window{Limit: 50000, Per: time.Hour}, 50, 24)
	s.add(budgets-len(s.classes[0].budgets)-len(s.classes[1].budgets), rate.Window{Limit: 100000, Per: simDay / 2}, 600, 24)
	// The daemons join, and have nothing to report.
	for _, h := range s.hosts {
		s.call(h, nil, true)
	}
	s.at += time.Minute
	return s
}

func (s *simulation) add(n int, w rate.Window, tick, hours int) {
	c := &class{window: w, tick: tick, hours: hours}
	s.classes = append(s.classes, c)
	for i := range n {
		b := &simBudget{class: c, number: i, owed: make([]float64, simHosts), counts: make([]int, int(w.Per/simTick)/tick)}
		for j := range simHosts {
			h := s.hosts[(i*7+j)%len(s.hosts)]
			b.hosts = append(b.hosts, h)
			b.windows = append(b.windows, h.book.Window(fmt.Sprint(w.Per, "/", i), w))
		}
		c.budgets = append(c.budgets, b)
	}
}

func (s *simulation) run() {
	for tick := range int(simDay / simTick) {
		s.at += simTick
		for _, c := range s.classes {
			if s.at > time.Duration(c.hours)*time.Hour {
				continue
			}
			for i := tick % c.tick; i < len(c.budgets); i += c.tick {
				s.use(c.budgets[i], tick/c.tick)
			}
		}
		for _, h := range s.hosts {
			for {
				if due, any := h.book.due(); !any || due > s.at+h.offset {
					break
				}
				s.call(h, nil, false)
			}
		}
	}
}

// use has the callers of a budget on all hosts ask for what they want.
func (s *simulation) use(b *simBudget, tick int) {
	slot := tick % len(b.counts)
	b.sum -= b.counts[slot]
	b.counts[slot] = 0
	for i := range b.hosts {
		i := (i + tick) % len(b.hosts) // nobody is always first
		used := s.take(b.hosts[i], b.windows[i], s.demand(b, (tick<<8)+i))
		b.counts[slot] += used
		b.sum += used
		s.total += used
		if tick >= len(b.counts) {
			b.class.used += used
		}
	}
	if b.sum > b.class.window.Limit {
		b.class.passed++
	}
}

// take uses up to n, as single requests would, and asks the store if a lease
// doesn't last.
func (s *simulation) take(h *simHost, w *Window, n int) (used int) {
	windows := []*Window{w}
	for n > used {
		now := s.at + h.offset
		some := max(min(w.hand, n-used), 1)
		taken, short, err := h.book.take(now, some, windows)
		switch {
		case err != nil:
			return used
		case len(short) > 0:
			if s.call(h, []*asking{{n: 1, windows: short, taken: taken}}, false)[0] != nil {
				return used
			}
			used++
		default:
			used += some
		}
	}
	return used
}

func (s *simulation) call(h *simHost, waiting []*asking, always bool) []error {
	now := s.at + h.offset
	c := h.book.compose(now, waiting, always)
	if c == nil {
		return nil
	}
	h.calls++
	s.store.now = 1e15 + s.at.Microseconds()
	results, _ := h.book.settle(c, s.store.exec(c), waiting, now)
	return results
}

// even is demand that all hosts share, a tenth more than the limit.
func (b *simBudget) even(at int) int {
	return b.whole(at&0xff, 1.1*float64(b.class.window.Limit)/float64(len(b.counts)*len(b.hosts)))
}

// wandering is demand on one host at a time, which moves on ten times in a
// period.
func (b *simBudget) wandering(at int) int {
	tick, host := at>>8, at&0xff
	if (tick/(len(b.counts)/10)+b.number)%len(b.hosts) != host {
		return 0
	}
	return b.whole(host, 1.1*float64(b.class.window.Limit)/float64(len(b.counts)))
}

func (b *simBudget) whole(host int, demand float64) int {
	b.owed[host] += demand
	n := int(b.owed[host])
	b.owed[host] -= float64(n)
	return n
}

// usable is the part of the limit that was used after the first period.
func (c *class) usable() float64 {
	periods := float64(time.Duration(c.hours)*time.Hour/c.window.Per) - 1
	return float64(c.used) / (periods * float64(c.window.Limit) * float64(len(c.budgets)))
}

func (s *simulation) perAssertion() float64 {
	calls := 0
	for _, h := range s.hosts {
		calls += h.calls
	}
	return float64(calls) / float64(s.total)
}

func (s *simulation) String() string {
	text := fmt.Sprintf("%d daemons, %d assertions, %.4f calls each", len(s.hosts), s.total, s.perAssertion())
	for _, c := range s.classes {
		text += fmt.Sprintf("; %d budgets of %v: %.3f usable", len(c.budgets), c.window, c.usable())
	}
	return text
}
