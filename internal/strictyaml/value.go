package strictyaml

import "iter"

// Decoder is a setting that can be written in more than one form, and reads
// them itself.
type Decoder interface{ DecodeYAML(Value) }

// Value is a value of the file that a Decoder reads.
type Value struct {
	decoder *decoder
	node    *node
	path    string
}

// Kind returns the kind of the value.
func (v Value) Kind() Kind { return v.node.kind }

// Path returns the path of the value.
func (v Value) Path() string { return v.path }

// Text returns a scalar as written, without quotes.
func (v Value) Text() string { return v.node.text }

// Items returns the items of a list, each of any form. Numbers are json.Number.
func (v Value) Items() []any { return v.decoder.freeList(v.node, v.path) }

// Members returns the keys and values of a mapping, in the file's order. Other
// values have none.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for _, e := range v.node.entries {
			if !yield(e.key, Value{decoder: v.decoder, node: e.value, path: Key(v.path, e.key)}) {
				return
			}
		}
	}
}

// Fault reports what is wrong with the value, and how to fix it.
func (v Value) Fault(format string, args ...any) {
	v.decoder.report.add(v.node.place, v.path, format, args...)
}

// UnknownKey reports a key of a mapping that means nothing, and what to write
// instead.
func (v Value) UnknownKey(key, advice string) {
	v.decoder.report.add(v.node.keyPlace(key), v.path, "unknown key %s; %s", v.decoder.name(v.node, key), advice)
}
