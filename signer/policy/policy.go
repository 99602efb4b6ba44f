// Package policy decides who may have what signed.
//
// It is pure: no I/O, no clock, no randomness, nothing global. A [Policy] is made once by [New] from the clients of a
// configuration, never changes, and may be used by any number of goroutines. It answers four questions:
//
//   - [Policy.Decide] turns a caller and its request into a [Grant] or a [*Refusal]. Nothing else makes a non-zero Grant, so code
//     that takes one can't sign without a decision.
//   - [Policy.DecideRaw] does the same for a raw signature over a digest.
//   - [Policy.Visible] says what a caller could ask for.
//   - [Policy.Explain] says what every rule made of a request, for the people who write the rules.
//
// Denial is the default and lists are literal: a client without a selector is refused by New, an empty list allows nothing,
// audiences and claim names are compared byte by byte, and a value that isn't listed isn't allowed.
package policy

import "github.com/assertd/assertd/ipc/caller"

// Policy is a compiled, immutable set of clients.
type Policy struct {
	clients []*client
	names   map[string]*client
	index   index
	wants   caller.Attributes
}

// client is a Client that New has checked. Its place in the configuration orders every answer.
type client struct {
	Name     string
	Match    Match
	InFlight int
	rules    []*rule
	place    int
}

// New compiles clients, in the order in which answers shall list them, and copies what it keeps. All that is wrong with them is
// reported at once, in an [*InvalidError].
func New(clients []Client) (*Policy, error) {
	p := &Policy{names: make(map[string]*client, len(clients))}
	var invalid InvalidError
	for place, given := range clients {
		report := reporter{invalid: &invalid, client: place, clientName: given.Name, grant: -1}
		c := compile(given, place, report)
		if p.names[c.Name] != nil {
			report.problem("name", "another client has this name; rename one of them")
			continue
		}
		p.names[c.Name] = c
		p.clients = append(p.clients, c)
		p.wants = p.wants.Union(c.Match.wants())
	}
	if len(invalid.Problems) > 0 {
		return nil, &invalid
	}
	p.index = newIndex(p.clients)
	return p, nil
}

// Wants says which attributes of a caller the selectors need, so that nothing else has to be read about it.
func (p *Policy) Wants() caller.Attributes { return p.wants }

// VisibleGrant is one thing that a caller may ask for.
type VisibleGrant struct {
	Client   string // the client that the caller matches
	InFlight int    // that client's cap on requests at one time
	Rule     Rule   // a copy
}

// Visible lists the grants, raw ones too, of every client that the caller matches, in the order of the configuration.
func (p *Policy) Visible(caller caller.Caller) []VisibleGrant {
	var visible []VisibleGrant
	for _, c := range p.matching(&caller) {
		for _, r := range c.rules {
			visible = append(visible, VisibleGrant{Client: c.Name, InFlight: c.InFlight, Rule: r.clone()})
		}
	}
	return visible
}

// matching returns the clients that the caller is, in the order of the configuration. A caller on a listener that is bound to a
// client can be that client and no other, and only if the client's own selectors hold too.
func (p *Policy) matching(caller *caller.Caller) []*client {
	if caller.Client == "" {
		return p.index.find(caller)
	}
	if c := p.names[caller.Client]; c != nil && c.Match.holds(caller) {
		return []*client{c}
	}
	return nil
}
