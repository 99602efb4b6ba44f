// Package policy decides who may have what signed.
//
// It is pure: no I/O, no clock, no randomness, no globals. [New] makes a
// [Policy] from the clients of a configuration. A Policy never changes and is
// safe for concurrent use. It answers five questions:
//
//   - [Policy.Decide] turns a caller and its request into a [Grant] or a
//     [*Refusal]. Nothing else makes a non-zero Grant, so code that requires
//     one can't sign without a decision.
//   - [Policy.DecideRaw] does the same for a raw signature over a digest.
//   - [Policy.DecideKubernetes] does the same for a token of a Kubernetes
//     service account, whose claims are written already.
//   - [Policy.Visible] lists what a caller may ask for.
//   - [Policy.Explain] shows how every rule evaluated a request, for the people
//     who write the rules.
//
// The default is to deny, and lists are literal: New refuses a client without a
// selector, an empty list allows nothing, audiences and claim names are
// compared byte by byte, and a value that is not listed is not allowed.
package policy

import "github.com/assertd/assertd/ipc/caller"

// Policy is a compiled, immutable set of clients.
type Policy struct {
	clients []*client
	names   map[string]*client
	index   index
	wants   caller.Attributes
}

// client is a Client that New has checked.
type client struct {
	name     string
	keys     []key // what a caller must match
	inFlight int
	rules    []*rule
	position int // in the configuration; orders every answer
}

// New compiles clients and copies what it keeps. Answers list the clients in
// the given order. The error is an [*InvalidError] that reports every mistake
// at once.
func New(clients []Client) (*Policy, error) {
	p := &Policy{names: make(map[string]*client, len(clients))}
	var invalid InvalidError
	for i := range clients {
		given := &clients[i]
		report := reporter{invalid: &invalid, client: i, clientName: given.Name, grant: -1}
		c := compile(given, i, report)
		if p.names[c.name] != nil {
			report.problem("name", "another client has the same name; rename one of them")
			continue
		}
		p.names[c.name] = c
		p.clients = append(p.clients, c)
		p.wants = p.wants.Union(given.Match.wants())
	}
	if len(invalid.Problems) > 0 {
		return nil, &invalid
	}
	p.index = newIndex(p.clients)
	return p, nil
}

// Wants says which attributes of a caller the selectors need, so that nothing
// else has to be read.
func (p *Policy) Wants() caller.Attributes { return p.wants }

// VisibleGrant is one grant that a caller may use.
type VisibleGrant struct {
	Client   string // the client that the caller matches
	InFlight int    // that client's cap on concurrent requests
	Rule     Rule   // a copy
}

// Visible lists the grants of every client that the caller matches, including
// those for raw signatures, in configuration order.
func (p *Policy) Visible(caller caller.Caller) []VisibleGrant {
	var visible []VisibleGrant
	for _, c := range p.matching(&caller) {
		for _, r := range c.rules {
			visible = append(visible, VisibleGrant{Client: c.name, InFlight: c.inFlight, Rule: r.clone()})
		}
	}
	return visible
}

// matching returns the clients that the caller matches, in configuration order.
// A caller on a listener that is bound to a client can match only that client,
// and only if the client's own selectors match too.
func (p *Policy) matching(caller *caller.Caller) []*client {
	if caller.Client == "" {
		return p.index.find(caller)
	}
	if c := p.names[caller.Client]; c != nil && c.matches(caller) {
		return []*client{c}
	}
	return nil
}
