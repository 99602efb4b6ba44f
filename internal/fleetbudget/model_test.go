package fleetbudget

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// model does what the script does, with a clock of its own. TestModel compares
// the two; the simulation needs one that is fast.
type model struct {
	now         int64
	replication int // of the server
	state       modelState
	windows     map[string]*modelWindow
}

type modelState struct {
	epoch, number, clock, gather, scanned int64 // epoch 0: there is none
	replication, hosts                    int
	order                                 map[string]int64
	called                                map[string]int64
}

type modelWindow struct {
	epoch          int64
	held           int
	sweep          int64
	total          int
	full           int64
	grains         []grain
	leases         map[string]modelLease
	per, grainSize int64
	limit, burst   int
}

type grain struct {
	at    int64
	count int
}

type modelLease struct {
	tokens int
	ends   int64
	used   int64
}

func newModel(now int64) *model { return &model{now: now, windows: make(map[string]*modelWindow)} }

func (m *model) exec(c *call) *answer {
	s, now := &m.state, m.now
	if s.epoch == 0 || s.replication != m.replication || c.epoch > s.epoch || c.epoch == s.epoch && (c.force || s.number < c.seen) {
		*s = modelState{
			epoch: max(now, s.epoch+1, c.epoch+1), number: max(s.number, c.seen), clock: now, gather: now + c.gather, replication: m.replication, hosts: 1,
			order: make(map[string]int64), called: make(map[string]int64),
		}
	} else {
		now, s.number = max(now, s.clock), max(s.number, c.seen)
	}
	last := s.order[c.daemon]
	m.scan(c.daemon, now)
	a := &answer{kind: answered, epoch: s.epoch, number: s.number, now: now, hosts: s.hosts, gathers: time.Duration(max(s.gather-now, 0)) * time.Microsecond}
	if c.order <= last {
		a.kind = overtaken
		return a
	}
	s.order[c.daemon], s.called[c.daemon], s.clock = c.order, now, now
	if c.epoch != s.epoch {
		a.kind = newEpoch
		return a
	}
	m.fill(c, a, now)
	s.number++
	a.number = s.number
	return a
}

func (m *model) scan(daemon string, now int64) {
	s := &m.state
	if now-s.scanned <= 2e6 {
		return
	}
	s.scanned, s.hosts = now, 1
	for name, called := range s.called {
		switch {
		case name == daemon:
		case now-called < 15e6:
			s.hosts++
		default:
			delete(s.called, name)
			delete(s.order, name)
		}
	}
}

func (m *model) fill(c *call, a *answer, now int64) {
	all := make([]*modelWindow, len(c.lines))
	tokens := make([]int, len(c.lines))
	for i, l := range c.lines {
		all[i] = m.load(l, now)
		tokens[i] = all[i].report(c.daemon, l, now)
	}
	for _, f := range c.fixes {
		at := f.at
		if at <= 0 {
			at += now
		}
		if f.n < 0 {
			all[f.line].remove(now, at, -f.n)
		} else {
			all[f.line].add(now, at, f.n)
		}
	}
	if gathers := m.state.gather > now; c.report && gathers && m.state.gather < m.state.epoch+12*c.gather {
		m.state.gather = max(m.state.gather, now+2e6)
	}
	gathers := m.state.gather > now
	if gathers {
		a.kind = gathering
	}
	a.gathers = time.Duration(max(m.state.gather-now, 0)) * time.Microsecond
	for _, g := range c.groups {
		v := verdict{line: -1}
		for _, i := range g.lines {
			if w := all[i]; !gathers && w.room(now) < g.n {
				if wait := time.Duration(w.wait(now, g.n)) * time.Microsecond; wait > v.wait {
					v = verdict{i, wait}
				}
			}
		}
		if v.line < 0 && !gathers {
			for _, i := range g.lines {
				all[i].add(now, now+c.slack, g.n)
			}
		}
		a.groups = append(a.groups, v)
	}
	for i, l := range c.lines {
		a.lines = append(a.lines, all[i].lease(c.daemon, l, tokens[i], now, gathers))
	}
}

func (m *model) load(l line, now int64) *modelWindow {
	w := m.windows[l.id]
	if w == nil || w.epoch != m.state.epoch {
		w = &modelWindow{epoch: m.state.epoch, sweep: now, leases: make(map[string]modelLease)}
		m.windows[l.id] = w
	}
	w.limit, w.burst, w.per = l.window.Limit, l.window.Burst, micros(l.window.Per)
	w.grainSize = max(w.per/64, 1)
	if w.held > 0 && w.sweep <= now {
		w.end(now)
	}
	first := 0
	for first < len(w.grains) && w.grains[first].at*w.grainSize+w.per <= now {
		w.total -= w.grains[first].count
		first++
	}
	w.grains = slices.Delete(w.grains, 0, first)
	return w
}

func (w *modelWindow) end(now int64) {
	soonest := int64(math.MaxInt64)
	var ended []modelLease
	for name, lease := range w.leases {
		if lease.ends <= now {
			w.held -= lease.tokens
			ended = append(ended, lease)
			delete(w.leases, name)
		} else {
			soonest = min(soonest, lease.ends)
		}
	}
	slices.SortFunc(ended, func(a, b modelLease) int { return cmp.Compare(a.ends, b.ends) })
	for _, lease := range ended {
		w.add(now, lease.ends, lease.tokens)
	}
	w.sweep = soonest
	if soonest == math.MaxInt64 {
		w.sweep = now
	}
}

func (w *modelWindow) add(now, at int64, n int) {
	if n <= 0 {
		return
	}
	if w.burst > 0 {
		w.full = max(w.full, at) + int64(math.Ceil(float64(n)*float64(w.per)/float64(w.limit)))
		return
	}
	g := grain{(at + w.grainSize - 1) / w.grainSize, n}
	if g.at*w.grainSize+w.per <= now {
		return
	}
	w.total += n
	i := len(w.grains)
	for i > 0 && w.grains[i-1].at > g.at {
		i--
	}
	if i > 0 && w.grains[i-1].at == g.at {
		w.grains[i-1].count += n
		return
	}
	w.grains = slices.Insert(w.grains, i, g)
}

func (w *modelWindow) remove(now, at int64, n int) {
	if w.burst > 0 {
		w.full -= max(int64(float64(n)*float64(w.per)/float64(w.limit))-max(now-at, 0), 0)
		return
	}
	at = (at + w.grainSize - 1) / w.grainSize
	if i := slices.IndexFunc(w.grains, func(g grain) bool { return g.at == at }); i >= 0 {
		n = min(n, w.grains[i].count)
		w.grains[i].count -= n
		w.total -= n
	}
}

func (w *modelWindow) room(now int64) int {
	if w.burst > 0 {
		depth := float64(w.burst) * float64(w.per) / float64(w.limit)
		return int(math.Floor((depth-float64(max(w.full-now, 0)))*float64(w.limit)/float64(w.per))) - w.held
	}
	return w.limit - w.total - w.held
}

func (w *modelWindow) wait(now int64, n int) int64 {
	if w.burst > 0 {
		return max(int64(math.Ceil(float64(max(w.full-now, 0))+float64(n+w.held-w.burst)*float64(w.per)/float64(w.limit))), 1)
	}
	excess, at := w.total+w.held+n-w.limit, now
	for _, g := range w.grains {
		if excess <= 0 {
			break
		}
		excess, at = excess-g.count, g.at*w.grainSize+w.per
	}
	if excess > 0 {
		at = max(at, w.sweep)
	}
	return max(at-now, 1)
}

// report settles the daemon's lease and returns what is left of it.
func (w *modelWindow) report(daemon string, l line, now int64) int {
	lease, ok := w.leases[daemon]
	if !ok {
		w.held += l.reported
		return l.reported
	}
	used := int(max(l.used-lease.used, 0))
	left := max(lease.tokens-used, 0)
	w.held -= lease.tokens - left
	w.add(now, now, used)
	return left
}

func (w *modelWindow) lease(daemon string, l line, tokens int, now int64, gathers bool) holding {
	switch {
	case tokens > l.target:
		w.held -= tokens - l.target
		tokens = l.target
	case tokens < l.target && !gathers:
		left := w.room(now)
		granted := max(min(l.target-tokens, max(left>>2, 1), left), 0)
		tokens += granted
		w.held += granted
	}
	var wait int64
	if tokens < l.target {
		wait = w.wait(now, l.target-tokens)
	}
	if tokens > 0 {
		ends := now + micros(l.lasts)
		if w.held <= tokens || w.sweep > ends {
			w.sweep = ends
		}
		w.leases[daemon] = modelLease{tokens, ends, l.used}
	} else {
		delete(w.leases, daemon)
	}
	return holding{tokens, time.Duration(wait) * time.Microsecond}
}
