package ratelimit

import "slices"

// Prepared is the first part of [Limiter.Configure], for which no take has to
// wait. With many clients, nearly all budgets stay.
type Prepared struct {
	configured map[string]*budget // those that stay
	changed    []Budget           // with those that are new
	removed    []*budget
}

// Prepare checks budgets and compares them with the present ones. Between
// Prepare and Use nothing else may configure the limiter.
func (l *Limiter) Prepare(budgets []Budget) (Prepared, error) {
	if err := check(budgets, l.fleet != nil); err != nil {
		return Prepared{}, err
	}
	l.mu.Lock()
	present := l.budgets
	l.mu.Unlock()
	p := Prepared{configured: make(map[string]*budget, len(budgets))}
	for _, given := range budgets {
		if b := present[given.Name]; b != nil && !b.retired && slices.Equal(b.Windows, given.Windows) {
			p.configured[given.Name] = b
		} else {
			p.configured[given.Name] = nil
			p.changed = append(p.changed, given)
		}
	}
	for name, b := range present {
		if _, stays := p.configured[name]; !stays {
			p.removed = append(p.removed, b)
		}
	}
	return p, nil
}

// Use puts prepared budgets in force.
func (l *Limiter) Use(p Prepared) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, given := range p.changed {
		p.configured[given.Name] = l.carry(given)
	}
	for _, b := range p.removed {
		if !b.retired || b.isSpent(l.clock.latest) {
			b.retired = true
			p.configured[b.Name] = b
		}
	}
	l.budgets = p.configured
}
