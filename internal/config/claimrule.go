package config

import (
	"encoding/json"
	"strings"

	"github.com/assertd/assertd/internal/strictyaml"
)

// ClaimRule says which values a claim may have. It is written as a list of
// values, as {values: […]}, as {words: […]} for a claim that is a list of
// words, such as scope, or as any. A plain list under the name scope means
// words (RFC 6749 section 3.3).
type ClaimRule struct {
	Any    bool
	Words  bool
	Values []any // text, json.Number, bool, []any and map[string]any
}

const claimRuleForms = "write a list of values, {words: [read, write]} for space-separated words, or any"

// DecodeYAML reads each of the forms.
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

// MarshalJSON writes the form that says most.
func (r ClaimRule) MarshalJSON() ([]byte, error) {
	switch {
	case r.Any:
		return json.Marshal("any")
	case r.Words:
		return json.Marshal(map[string][]any{"words": r.Values})
	}
	return json.Marshal(map[string][]any{"values": r.Values})
}
