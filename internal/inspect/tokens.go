package inspect

import (
	"fmt"
	"maps"
	"slices"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/wire"
)

// Notes says for people what is special about the tokens: their modules' quirks
// and what they mean, which attributes of which keys are excused, and the key
// sets whose algorithm a token doesn't list.
func (i *Inspection) Notes() []string {
	var notes []string
	described := i.pool.Described()
	for _, name := range slices.Sorted(maps.Keys(described)) {
		notes = append(notes, i.tokenNotes(name, described[name])...)
	}
	for _, key := range i.pool.Inventory() {
		for _, excuse := range key.Excuses {
			notes = append(notes, fmt.Sprintf("token %s: key %q is accepted although %s", key.Token, key.Label, excuse))
		}
	}
	return notes
}

func (i *Inspection) tokenNotes(name string, token wire.TokenDescription) []string {
	var notes []string
	for _, quirk := range token.Module.Quirks {
		notes = append(notes, fmt.Sprintf("token %s: %s, quirk %s: %s", name, token.Module.Provider, quirk.Name, quirk.Meaning))
	}
	for _, set := range i.expected.Sets {
		if len(token.Offers) > 0 && !lists(token.Offers, set.Alg) {
			notes = append(notes, fmt.Sprintf("token %s lists no mechanism for the algorithm of key set %q, %s; it makes keys of the types %s",
				name, set.Name, set.Alg, token.Makes))
		}
	}
	return notes
}

// lists reports whether a token lists a mechanism that signs with an algorithm.
func lists(offers []hsm.Offer, alg string) bool {
	return slices.ContainsFunc(offers, func(o hsm.Offer) bool { return o.Alg == alg && o.Sign })
}
