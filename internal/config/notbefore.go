package config

import (
	"encoding/json"

	"github.com/assertd/assertd/internal/strictyaml"
)

// NotBefore says how an assertion allows for a receiver whose clock is behind.
// The file has {leeway: 30s}, which puts iat and nbf 30 seconds into the past,
// or none, which leaves nbf out.
type NotBefore struct {
	None   bool
	Leeway *Duration // nil for the profile's
}

const notBeforeForms = "write {leeway: 30s} to put iat and nbf into the past, or none to leave nbf out"

// DecodeYAML reads either form.
func (n *NotBefore) DecodeYAML(v strictyaml.Value) {
	switch {
	case v.Kind() == strictyaml.String && v.Text() == "none":
		n.None = true
	case v.Kind() == strictyaml.Mapping:
		n.decodeLeeway(v)
	default:
		v.Fault("not_before has another form; %s", notBeforeForms)
	}
}

func (n *NotBefore) decodeLeeway(v strictyaml.Value) {
	for key, member := range v.Members() {
		if key != "leeway" {
			v.UnknownKey(key, notBeforeForms)
			return
		}
		n.Leeway = new(Duration)
		if err := n.Leeway.UnmarshalText([]byte(member.Text())); err != nil {
			member.Fault("%v", err)
		}
	}
	if n.Leeway == nil {
		v.Fault("not_before has no leeway; %s", notBeforeForms)
	}
}

// MarshalJSON writes what DecodeYAML reads.
func (n NotBefore) MarshalJSON() ([]byte, error) {
	if n.None {
		return json.Marshal("none")
	}
	return json.Marshal(map[string]*Duration{"leeway": n.Leeway})
}

func notBeforeSchema() object {
	leeway := object{"type": "object", "properties": object{"leeway": pattern(durationSchema)}, "required": []string{"leeway"}, "additionalProperties": false}
	return object{"anyOf": []object{{"const": "none"}, leeway}}
}
