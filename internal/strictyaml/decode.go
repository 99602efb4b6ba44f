package strictyaml

import (
	"encoding"
	"reflect"
	"strings"

	"github.com/assertd/assertd/internal/spelling"
)

// decoder fills structs from nodes. It continues after a mistake, so one run
// reports them all.
type decoder struct {
	report *report
	rules  Rules
	fields map[reflect.Type][]Field
}

func newDecoder(rules Rules, r *report) *decoder {
	return &decoder{report: r, rules: rules, fields: make(map[reflect.Type][]Field)}
}

func (d *decoder) fieldsOf(t reflect.Type) []Field {
	if d.fields[t] == nil {
		d.fields[t] = Fields(t)
	}
	return d.fields[t]
}

// structure fills a struct from a mapping, and with defaults where the mapping
// has no key.
func (d *decoder) structure(n *node, path string, v reflect.Value) {
	fields := d.fieldsOf(v.Type())
	given := d.keys(n, path)
	for _, e := range n.entries {
		if i := indexOf(fields, e.key); i < 0 {
			d.unknown(n, e, path, fields)
		} else if given[e.key] == e.value {
			d.value(e.value, Key(path, e.key), v.Field(fields[i].Index), fields[i])
		}
	}
	for _, f := range fields {
		switch at := Key(path, f.Name); {
		case given[f.Name] != nil:
		case f.Required && !d.report.within(at):
			d.report.add(n.place, at, "%s is missing%s; add it. %s", f.Name, within(path), f.Doc)
		default:
			d.initial(v.Field(f.Index), f)
		}
	}
}

// keys returns the first value of each key and reports the others.
func (d *decoder) keys(n *node, path string) map[string]*node {
	first := make(map[string]*node, len(n.entries))
	for _, e := range n.entries {
		if f := first[e.key]; f != nil {
			d.report.add(e.place, Key(path, e.key), "%s is set twice%s, first on line %d; keep one", d.name(n, e.key), within(path), f.line)
			continue
		}
		first[e.key] = e.value
	}
	return first
}

func indexOf(fields []Field, name string) int {
	for i := range fields {
		if fields[i].Name == name {
			return i
		}
	}
	return -1
}

// unknown reports a key that isn't a setting. Its value is hidden: it could be
// a secret under a misspelled name.
func (d *decoder) unknown(n *node, e entry, path string, fields []Field) {
	e.value.hide()
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	advice := "valid keys are " + strings.Join(names, ", ")
	if near := spelling.Nearest(e.key, names); near != "" {
		advice = "did you mean " + near + "?"
		d.report.excuse(Key(path, near))
	} else if namesSecret(e.key, d.rules.Secrets) {
		advice = d.rules.SecretAdvice
	}
	d.report.add(e.place, Key(path, e.key), "unknown key %s%s; %s", d.name(n, e.key), within(path), advice)
}

// name quotes a key, unless it is inside a secret.
func (d *decoder) name(n *node, key string) string {
	if n.secret {
		return hiddenText
	}
	return Quote(key)
}

func within(path string) string {
	if path == "" {
		return ""
	}
	return " in " + path
}

// initial sets a setting that the file doesn't have to its default.
func (d *decoder) initial(v reflect.Value, f Field) {
	if f.Default == "" {
		if v.Kind() == reflect.Struct && !isText(v) {
			d.structure(&node{kind: Mapping}, "", v)
		}
		return
	}
	d.value(defaultNode(v, f.Default), f.Name, v, f)
}

func defaultNode(v reflect.Value, text string) *node {
	n := &node{kind: String, text: text}
	if !isText(v) && v.Kind() == reflect.Int {
		n.kind = Number
	}
	if v.Kind() == reflect.Bool {
		n.kind = Bool
	}
	return n
}

func isText(v reflect.Value) bool {
	_, ok := v.Addr().Interface().(encoding.TextUnmarshaler)
	return ok
}

// value fills one setting.
func (d *decoder) value(n *node, path string, v reflect.Value, f Field) {
	if n.kind == Null {
		d.noValue(n, path)
		return
	}
	switch target := v.Addr().Interface().(type) {
	case Decoder:
		target.DecodeYAML(Value{decoder: d, node: n, path: path})
		return
	case encoding.TextUnmarshaler:
		d.text(n, path, target, f)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, path, v.Elem(), f)
	case reflect.Struct:
		w, ok := v.Addr().Interface().(Worded)
		if ok && n.kind == String && w.SetWord(n.text) {
			return
		}
		if d.is(n, Mapping, path, v) {
			d.structure(n, path, v)
		}
	case reflect.Map:
		if d.is(n, Mapping, path, v) {
			d.mapping(n, path, v, f)
		}
	case reflect.Slice:
		if d.is(n, List, path, v) {
			d.list(n, path, v, f)
		}
	case reflect.Interface:
		v.Set(reflect.ValueOf(d.free(n, path)))
	default:
		d.scalar(n, path, v, f)
	}
}

func (d *decoder) noValue(n *node, path string) {
	d.report.add(n.place, path, "%s has no value; set one, or remove the key", path)
}

// is reports a value of the wrong kind, and hides it: a scalar in place of a
// section could be anything.
func (d *decoder) is(n *node, want Kind, path string, v reflect.Value) bool {
	if n.kind == want {
		return true
	}
	n.hide()
	advice := d.advice(v.Type())
	if h, ok := v.Interface().(Advisor); ok {
		advice = h.HowToWrite()
	}
	d.report.add(n.place, path, "%s must be %s, not %s; %s", path, want, n.kind, advice)
	return false
}

// advice says how to write a section of a type.
func (d *decoder) advice(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice:
		return "start each item with -, or put all items in [ ]"
	case reflect.Map:
		return "write each entry as name: value"
	}
	var names []string
	for _, f := range d.fieldsOf(t) {
		names = append(names, f.Name)
	}
	return "valid keys are " + strings.Join(names, ", ")
}

func (d *decoder) mapping(n *node, path string, v reflect.Value, f Field) {
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.entries)))
	given := d.keys(n, path)
	for _, e := range n.entries {
		if given[e.key] != e.value {
			continue
		}
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(e.value, Key(path, e.key), item, f)
		if item.Kind() != reflect.Interface || !item.IsNil() {
			v.SetMapIndex(reflect.ValueOf(e.key), item)
		}
	}
}

func (d *decoder) list(n *node, path string, v reflect.Value, f Field) {
	v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
	for i, item := range n.items {
		d.value(item, Item(path, i), v.Index(i), f)
	}
}
