package policy

import (
	"slices"

	"github.com/assertd/assertd/ipc/caller"
)

// DecideRaw finds the one grant that allows this caller a raw signature with a
// key set. The error is a [*Refusal].
func (p *Policy) DecideRaw(caller caller.Caller, req RawRequest) (RawGrant, error) {
	clients := p.matching(&caller)
	grant, refusal := decideRaw(clients, &caller, &req)
	if refusal != nil {
		return RawGrant{}, refusal.attribute(clients, &caller)
	}
	return grant, nil
}

func decideRaw(clients []*client, caller *caller.Caller, req *RawRequest) (RawGrant, *Refusal) {
	if len(clients) == 0 {
		return RawGrant{}, unknownCaller(caller)
	}
	candidates := rawRules(clients, req.Key)
	if len(candidates) == 0 {
		return RawGrant{}, keyNotAllowed(clients, req.Key)
	}
	var grants []RawGrant
	var first *Refusal
	for _, c := range candidates {
		grant, refusal := c.evaluateRaw(req)
		switch {
		case refusal == nil:
			grants = append(grants, grant)
		case first == nil:
			first = refusal
		}
	}
	switch len(grants) {
	case 0:
		return RawGrant{}, first
	case 1:
		return grants[0], nil
	}
	return RawGrant{}, ambiguousRaw(grants)
}

// rawRules lists the rules for raw signatures with one key set.
func rawRules(clients []*client, key string) []clientRule {
	var rules []clientRule
	for _, client := range clients {
		for _, r := range client.rules {
			if r.Raw != nil && r.Key == key {
				rules = append(rules, clientRule{client, r})
			}
		}
	}
	return rules
}

func (c clientRule) evaluateRaw(req *RawRequest) (RawGrant, *Refusal) {
	hash, refusal := c.rule.checkHash(req.Hash)
	if refusal != nil {
		return RawGrant{}, refusal
	}
	padding, refusal := c.rule.checkPadding(req.Padding)
	if refusal != nil {
		return RawGrant{}, refusal
	}
	return RawGrant{c, hash, padding}, nil
}

func (r *rule) checkHash(requested string) (string, *Refusal) {
	hashes := r.Raw.Hashes
	if i := slices.Index(hashes, requested); i >= 0 {
		return hashes[i], nil
	}
	return "", refuse(HashNotAllowed, "Grant %q does not allow hash %s. It allows %s.",
		r.Name, quoteShort(requested), enumerate(hashes))
}

// checkPadding returns the padding to use: the requested one, or the only one.
func (r *rule) checkPadding(requested string) (string, *Refusal) {
	paddings := r.Raw.Paddings
	switch {
	case requested == "" && len(paddings) == 0:
		return "", nil
	case requested == "" && len(paddings) == 1:
		return paddings[0], nil
	case requested == "":
		return "", refuse(PaddingNotAllowed, "Grant %q allows several paddings. Set padding to one of %s.",
			r.Name, enumerate(paddings))
	case len(paddings) == 0:
		return "", refuse(PaddingNotAllowed, "Signatures from grant %q have no padding. "+
			"Leave padding out of the request.", r.Name)
	}
	if i := slices.Index(paddings, requested); i >= 0 {
		return paddings[i], nil
	}
	return "", refuse(PaddingNotAllowed, "Grant %q does not allow padding %s. It allows %s.",
		r.Name, quoteShort(requested), enumerate(paddings))
}
