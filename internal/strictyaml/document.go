// Package strictyaml reads a strict subset of YAML into Go structs. It refuses
// everything that lets a file mean something other than it seems to: unknown,
// duplicate and empty keys, anchors, aliases, merge keys, tags, second
// documents and characters that a reader can't see or can mistake for others.
// It reports every mistake at once, each with its line, column, an excerpt, and
// a fix. Values that could be secrets appear in no message.
//
// Struct tags hold the rules for each setting: json (its key), doc, default,
// required, min, max, enum and format. See Field.
package strictyaml

import (
	"fmt"
	"reflect"
)

// Rules say how to read one kind of file.
type Rules struct {
	MaxSize int               // in bytes; larger files are refused
	Start   string            // tells the author of an empty file how to start
	Formats map[string]Format // what format tags can name

	// Secrets are words that mark a key's value as secret, in addition to
	// those that every file has (see secretWords).
	Secrets []string
	// SecretAdvice tells the author of an unknown key that looks like a
	// secret's where secrets go instead.
	SecretAdvice string
}

// Format is a rule for text that a setting can break all by itself.
type Format struct {
	// Check says what is wrong and how to fix it. Its error must not contain
	// the text, which may be secret.
	Check func(text string) error
	// Pattern is the regular expression for a JSON Schema. It is empty where
	// no pattern can express the rule.
	Pattern string
}

// Document is a file whose YAML is sound. It collects the mistakes in what the
// file says, and stays useful afterwards to find a setting's place.
type Document struct {
	root    *node
	report  *report
	decoder *decoder
}

// Parse reads the YAML in data; name stands for the file in errors. The error
// is an *Error.
func Parse(name string, data []byte, rules Rules) (*Document, error) {
	r := newReport(name, data)
	root := readTree(data, rules, r)
	if root == nil {
		return nil, r.err(nil)
	}
	return &Document{root: root, report: r, decoder: newDecoder(rules, r)}, nil
}

// Decode fills the struct that into points at. Mistakes are in Err.
func (d *Document) Decode(into any) {
	d.decoder.structure(d.root, "", reflect.ValueOf(into).Elem())
}

// Fault reports a mistake in what a setting means, at the nearest place that
// the file has for path, such as "clients[2].grants[0].key". It reports nothing
// where the setting, something in it or something around it is already known to
// be wrong: that would only repeat it.
func (d *Document) Fault(path, format string, args ...any) {
	if !d.report.around[path] && !d.report.within(path) {
		d.report.add(d.root.find(path).place, path, format, args...)
	}
}

// FaultKey reports a mistake in a key itself, in the mapping at path.
func (d *Document) FaultKey(path, key, format string, args ...any) {
	d.report.add(d.root.find(path).keyPlace(key), Key(path, key), format, args...)
}

// Has reports whether the file has the setting at path.
func (d *Document) Has(path string) bool {
	n := d.root
	for path != "" && n != nil {
		var step string
		step, path = cutStep(path)
		n = n.step(step)
	}
	return n != nil
}

// At returns file:line:column of the setting at a path, or of the nearest
// setting around it that the file has.
func (d *Document) At(path string) string {
	n := d.root.find(path)
	return fmt.Sprintf("%s:%d:%d", d.report.name, n.line, n.column)
}

// Sections returns the place of every top-level setting as file:line:column, by
// name, and that of the first one also as "". Unlike the document, it takes
// little memory.
func (d *Document) Sections() map[string]string {
	sections := map[string]string{"": d.At("")}
	for _, e := range d.root.entries {
		sections[e.key] = d.At(Key("", e.key))
	}
	return sections
}

// Line returns the line of the setting at a path, or of the nearest one around
// it.
func (d *Document) Line(path string) int { return d.root.find(path).line }

// Err returns every mistake so far as one *Error, or nil.
func (d *Document) Err() error { return d.report.err(d.root) }
