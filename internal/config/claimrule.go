package config

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/assertd/assertd/internal/strictyaml"
	"github.com/assertd/assertd/signer/policy"
)

// ClaimRule says which values a claim can have. The file has a list of values,
// {values: […]}, {words: […]} for a claim of space-separated words, such as
// scope, {each_of: […], max_items: …} for an array, or any. A plain list under
// the name scope means words (RFC 6749 section 3.3).
type ClaimRule struct{ policy.ClaimRule }

const claimRuleForms = "write a list of values, {words: [read, write]} for space-separated words, " +
	"{each_of: [a, b], max_items: 1} for an array, or any"

// DecodeYAML reads any of the forms.
func (r *ClaimRule) DecodeYAML(v strictyaml.Value) {
	switch {
	case v.Kind() == strictyaml.String && v.Text() == "any":
		r.Any = true
	case v.Kind() == strictyaml.List:
		r.Words = strings.HasSuffix(v.Path(), ".scope")
		r.Values = v.Items()
	case v.Kind() == strictyaml.Mapping:
		r.decodeForm(v)
	default:
		v.Fault("this doesn't define which values the claim can have; %s", claimRuleForms)
	}
}

// decodeForm reads a mapping, which has one list and names what it is.
func (r *ClaimRule) decodeForm(v strictyaml.Value) {
	lists := 0
	for key, member := range v.Members() {
		switch {
		case key == "max_items":
			r.decodeMaxItems(member)
			continue
		case key != "values" && key != "words" && key != "each_of":
			v.UnknownKey(key, claimRuleForms)
			return
		case member.Kind() != strictyaml.List:
			member.Fault("this is not a list; %s", claimRuleForms)
			return
		}
		lists++
		r.Words, r.EachOf = key == "words", key == "each_of"
		r.Values = member.Items()
	}
	if lists != 1 {
		v.Fault("this has %d lists of values instead of one; %s", lists, claimRuleForms)
	}
}

func (r *ClaimRule) decodeMaxItems(v strictyaml.Value) {
	n, err := strconv.Atoi(v.Text())
	if v.Kind() != strictyaml.Number || err != nil || n < 1 {
		v.Fault("max_items must be a whole number of at least 1")
		return
	}
	r.MaxItems = n
}

// MarshalJSON writes the most explicit form.
func (r ClaimRule) MarshalJSON() ([]byte, error) {
	switch {
	case r.Any:
		return json.Marshal("any")
	case r.Words:
		return json.Marshal(map[string][]any{"words": r.Values})
	case r.EachOf && r.MaxItems != 0:
		return json.Marshal(map[string]any{"each_of": r.Values, "max_items": r.MaxItems})
	case r.EachOf:
		return json.Marshal(map[string][]any{"each_of": r.Values})
	}
	return json.Marshal(map[string][]any{"values": r.Values})
}
