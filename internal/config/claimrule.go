package config

import (
	"encoding/json"
	"strings"
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

const claimRuleForms = "write a list of values, {words: [read, write]} for a claim that is a list of words, or any"

func (r *ClaimRule) decodeNode(d *decoder, n *node, path string) {
	switch {
	case n.kind == kindString && n.text == "any":
		r.Any = true
	case n.kind == kindList:
		r.Words = strings.HasSuffix(path, ".scope")
		r.Values = d.values(n, path)
	case n.kind == kindMapping && len(n.entries) == 1 && n.entries[0].value.kind == kindList:
		e := n.entries[0]
		if e.key != "words" && e.key != "values" {
			d.report.add(e.place, path, "unknown key %s; %s", d.name(n, e.key), claimRuleForms)
			return
		}
		r.Words = e.key == "words"
		r.Values = d.values(e.value, member(path, e.key))
	default:
		d.report.add(n.place, path, "this does not say which values the claim may have; %s", claimRuleForms)
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
