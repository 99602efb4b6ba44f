package policy

import (
	"slices"

	"github.com/assertd/assertd/ipc/caller"
)

// DecideRaw finds the one grant that lets this caller have a raw signature with a key set. The error is a [*Refusal].
func (p *Policy) DecideRaw(caller caller.Caller, req RawRequest) (RawGrant, error) {
	grant, refusal := decideRaw(p.matching(&caller), &caller, &req)
	if refusal != nil {
		return RawGrant{}, refusal
	}
	return grant, nil
}

func decideRaw(clients []*client, caller *caller.Caller, req *RawRequest) (RawGrant, *Refusal) {
	grant, refusal := decideRawAmong(clients, caller, req)
	return grant, refusal.attribute(clients, caller)
}

func decideRawAmong(clients []*client, caller *caller.Caller, req *RawRequest) (RawGrant, *Refusal) {
	if len(clients) == 0 {
		return RawGrant{}, unknownCaller(caller)
	}
	var fitting []RawGrant
	var first *Refusal
	for _, client := range clients {
		for _, r := range client.rules {
			if r.Raw == nil || r.Key != req.Key {
				continue
			}
			grant, refusal := considerRaw(client, r, req)
			switch {
			case refusal == nil:
				fitting = append(fitting, grant)
			case first == nil:
				first = refusal
			}
		}
	}
	switch {
	case len(fitting) == 1:
		return fitting[0], nil
	case len(fitting) > 1:
		return RawGrant{}, ambiguousRaw(fitting)
	case first != nil:
		return RawGrant{}, first
	}
	return RawGrant{}, keyNotAllowed(clients, req.Key)
}

func considerRaw(c *client, r *rule, req *RawRequest) (RawGrant, *Refusal) {
	i := slices.Index(r.Raw.Hashes, req.Hash)
	if i < 0 {
		return RawGrant{}, refuse(HashNotAllowed, "grant %q does not allow hash %s; it allows %s", r.Name, clip(req.Hash), enumerate(r.Raw.Hashes))
	}
	padding, refusal := r.checkPadding(req.Padding)
	if refusal != nil {
		return RawGrant{}, refusal
	}
	return RawGrant{c, r, r.Raw.Hashes[i], padding}, nil
}

// checkPadding returns the padding to use: the one asked for, or the only one there is.
func (r *rule) checkPadding(asked string) (string, *Refusal) {
	paddings := r.Raw.Paddings
	switch {
	case asked == "" && len(paddings) == 0:
		return "", nil
	case asked == "" && len(paddings) == 1:
		return paddings[0], nil
	case asked == "":
		return "", refuse(PaddingNotAllowed, "grant %q has several paddings; name one of %s", r.Name, enumerate(paddings))
	case len(paddings) == 0:
		return "", refuse(PaddingNotAllowed, "signatures of grant %q have no padding; leave it out", r.Name)
	}
	if i := slices.Index(paddings, asked); i >= 0 {
		return paddings[i], nil
	}
	return "", refuse(PaddingNotAllowed, "grant %q does not allow padding %s; it allows %s", r.Name, clip(asked), enumerate(paddings))
}
