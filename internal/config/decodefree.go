package config

import "encoding/json"

// free reads a value of any form, as a claim has it. Numbers keep their
// digits.
func (d *decoder) free(n *node, path string) any {
	switch n.kind {
	case kindBool:
		return n.text == "true"
	case kindNumber:
		if !jsonNumber.MatchString(n.text) {
			d.report.add(n.place, path, "%s is not a number as JSON has it; write it in plain digits, or in quotes if it is text", path)
		}
		return json.Number(n.text)
	case kindList:
		return d.values(n, path)
	case kindMapping:
		return d.object(n, path)
	case kindNull:
		d.report.add(n.place, path, "%s has no value; write one or remove the key", path)
	}
	return n.text
}

func (d *decoder) values(n *node, path string) []any {
	values := make([]any, 0, len(n.items))
	for i, item := range n.items {
		values = append(values, d.free(item, element(path, i)))
	}
	return values
}

func (d *decoder) object(n *node, path string) map[string]any {
	object := make(map[string]any, len(n.entries))
	given := d.keys(n, path)
	for key, value := range given {
		object[key] = d.free(value, member(path, key))
	}
	return object
}
