package strictyaml

import (
	"encoding/json"
	"regexp"
)

var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// free reads a value of any form: text, a json.Number, a bool, []any or
// map[string]any. Numbers keep their digits.
func (d *decoder) free(n *node, path string) any {
	switch n.kind {
	case String:
		d.endsWithBreak(n, path)
	case Bool:
		return n.text == "true"
	case Number:
		if !jsonNumber.MatchString(n.text) {
			d.report.add(n.place, path, "%s is not a valid JSON number; write it in plain digits, or in quotes if it is text", path)
		}
		return json.Number(n.text)
	case List:
		return d.freeList(n, path)
	case Mapping:
		return d.freeMapping(n, path)
	case Null:
		d.noValue(n, path)
	}
	return n.text
}

func (d *decoder) freeList(n *node, path string) []any {
	values := make([]any, 0, len(n.items))
	for i, item := range n.items {
		values = append(values, d.free(item, Item(path, i)))
	}
	return values
}

func (d *decoder) freeMapping(n *node, path string) map[string]any {
	object := make(map[string]any, len(n.entries))
	for key, value := range d.keys(n, path) {
		object[key] = d.free(value, Key(path, key))
	}
	return object
}
