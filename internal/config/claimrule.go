package config

import (
	"encoding/json"
	"strings"

	"github.com/assertd/assertd/internal/strictyaml"
	"github.com/assertd/assertd/signer/policy"
)

// ClaimRule says which values a claim can have. The file has a list of values,
// {values: […]}, {words: […]} for a claim of space-separated words, such as
// scope, or any. A plain list under the name scope means words (RFC 6749
// section 3.3).
type ClaimRule struct{ policy.ClaimRule }

const claimRuleForms = "write a list of values, {words: [read, write]} for space-separated words, or any"

// DecodeYAML reads any of the forms.
func (r *ClaimRule) DecodeYAML(v strictyaml.Value) {
	key, only, single := v.Only()
	switch {
	case v.Kind() == strictyaml.String && v.Text() == "any":
		r.Any = true
	case v.Kind() == strictyaml.List:
		r.Words = strings.HasSuffix(v.Path(), ".scope")
		r.Values = v.Items()
	case single && only.Kind() == strictyaml.List:
		if key != "words" && key != "values" {
			v.UnknownKey(key, claimRuleForms)
			return
		}
		r.Words = key == "words"
		r.Values = only.Items()
	default:
		v.Fault("this doesn't define which values the claim can have; %s", claimRuleForms)
	}
}

// MarshalJSON writes the most explicit form.
func (r ClaimRule) MarshalJSON() ([]byte, error) {
	switch {
	case r.Any:
		return json.Marshal("any")
	case r.Words:
		return json.Marshal(map[string][]any{"words": r.Values})
	}
	return json.Marshal(map[string][]any{"values": r.Values})
}
