package pool

import (
	"slices"
	"time"

	"github.com/assertd/assertd/hsm/wire"
)

// setKeys stores a token's new inventory and works out again which tokens hold
// which key. It reports whether they differ from the former one. The pool is
// locked.
func (p *Pool) setKeys(t *token, keys []wire.KeyInfo) (changed bool) {
	keys = t.withoutFailed(keys)
	if t.read && slices.EqualFunc(t.keys, keys, wire.KeyInfo.Equal) {
		return false
	}
	t.keys, t.read = keys, true
	p.revision++
	holders, hashing := map[wire.KeyRef]uint64{}, map[wire.KeyRef]bool{}
	for _, t := range p.tokens {
		for _, k := range t.keys {
			if k.Signs() {
				holders[k.Ref] |= t.bit
				if k.Hashes {
					hashing[k.Ref] = true
				}
			}
		}
	}
	p.setHashing(hashing)
	var waiting []*call
	for _, r := range p.routes {
		waiting = append(waiting, r.waiting...)
	}
	p.routes, p.keys = map[uint64]*route{}, make(map[wire.KeyRef]*route, len(holders))
	for ref, set := range holders {
		p.keys[ref] = p.routeFor(set)
	}
	p.requeue(waiting)
	p.announce()
	return true
}

// setHashing notes the keys whose tokens hash messages. A key on two tokens, of
// which one does, gets the message on both. Mostly there is none, and nothing
// to look up for a signature.
func (p *Pool) setHashing(keys map[wire.KeyRef]bool) {
	if len(keys) == 0 {
		p.hashing.Store(nil)
		return
	}
	p.hashing.Store(&keys)
}

func (p *Pool) routeFor(set uint64) *route {
	r := p.routes[set]
	if r == nil {
		r = &route{}
		for _, t := range p.tokens {
			if set&t.bit != 0 {
				r.tokens = append(r.tokens, t)
			}
		}
		p.routes[set] = r
	}
	return r
}

// requeue reassigns the calls that were in the queues, in order: a token that
// now holds their key may have idle workers, which would not get them
// otherwise.
func (p *Pool) requeue(waiting []*call) {
	slices.SortFunc(waiting, func(a, b *call) int { return a.queued.Compare(b.queued) })
	now := time.Now()
	for _, c := range waiting {
		if r := p.reassign(c, now); r != nil {
			r.waiting = append(r.waiting, c)
		}
	}
}

// Inventory lists the keys of all tokens as they were last read: when a worker
// started, and at each Refresh. A key pair on two tokens is listed twice. A
// token that is away keeps its keys here.
func (p *Pool) Inventory() []wire.KeyInfo {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []wire.KeyInfo
	for _, t := range p.tokens {
		all = append(all, t.keys...)
	}
	return all
}

// Revision is another number whenever the keys of Inventory, or the tokens of
// Unread, have changed.
func (p *Pool) Revision() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.revision
}

// Unread names the tokens whose keys have never been read: Inventory may lack
// keys while there are any. A token that went away after it was read isn't one.
func (p *Pool) Unread() (names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.tokens {
		if !t.read {
			names = append(names, t.config.Name)
		}
	}
	return names
}

func (p *Pool) keysOf(t *token) []wire.KeyInfo {
	p.mu.Lock()
	defer p.mu.Unlock()
	return t.keys
}
