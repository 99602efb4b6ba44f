package config

import (
	"encoding"
	"reflect"
	"strings"
)

// decoder fills typed settings from nodes. It goes on after a mistake, so that
// one run reports them all.
type decoder struct {
	report  *report
	fields  map[reflect.Type][]field
	formats map[string]format
}

// nodeDecoder is a setting with more than one form.
type nodeDecoder interface {
	decodeNode(d *decoder, n *node, path string)
}

func decode(root *node, c *Config, r *report) {
	d := &decoder{report: r, fields: make(map[reflect.Type][]field), formats: formats()}
	d.structure(root, "", reflect.ValueOf(c).Elem())
}

func (d *decoder) fieldsOf(t reflect.Type) []field {
	if d.fields[t] == nil {
		d.fields[t] = fieldsOf(t)
	}
	return d.fields[t]
}

// structure fills a struct from a mapping, and its defaults where the mapping
// is silent.
func (d *decoder) structure(n *node, path string, v reflect.Value) {
	fields := d.fieldsOf(v.Type())
	given := d.keys(n, path)
	for _, e := range n.entries {
		if i := indexOf(fields, e.key); i < 0 {
			d.unknown(n, e, path, fields)
		} else if given[e.key] == e.value {
			d.value(e.value, member(path, e.key), v.Field(fields[i].index), fields[i])
		}
	}
	for _, f := range fields {
		switch at := member(path, f.name); {
		case given[f.name] != nil:
		case f.required && !d.report.within(at):
			d.report.add(n.place, at, "%s is missing%s; add it. %s", f.name, within(path), f.doc)
		default:
			d.initial(v.Field(f.index), f)
		}
	}
}

// keys returns the first value of each key and reports the others.
func (d *decoder) keys(n *node, path string) map[string]*node {
	first := make(map[string]*node, len(n.entries))
	for _, e := range n.entries {
		if f := first[e.key]; f != nil {
			d.report.add(e.place, member(path, e.key), "%s is given twice%s, first on line %d; keep one", d.name(n, e.key), within(path), f.line)
			continue
		}
		first[e.key] = e.value
	}
	return first
}

func indexOf(fields []field, name string) int {
	for i := range fields {
		if fields[i].name == name {
			return i
		}
	}
	return -1
}

// unknown reports a key that is no setting. What it holds may well be a
// secret under a misspelt name and is not shown.
func (d *decoder) unknown(n *node, e entry, path string, fields []field) {
	e.value.hide()
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	advice := "the keys here are " + strings.Join(names, ", ")
	if near := nearest(e.key, names); near != "" {
		advice = "did you mean " + near + "?"
		d.report.excuse(member(path, near))
	} else if secretKey(e.key) {
		advice = "secrets are never written in the configuration; for the PIN see hsm.pin"
	}
	d.report.add(e.place, member(path, e.key), "unknown key %s%s; %s", d.name(n, e.key), within(path), advice)
}

// name shows a key, unless it stands where only a secret does.
func (d *decoder) name(n *node, key string) string {
	if n.secret {
		return hiddenText
	}
	return quote(key)
}

func within(path string) string {
	if path == "" {
		return ""
	}
	return " in " + path
}

// initial sets a setting that the file doesn't give to its default.
func (d *decoder) initial(v reflect.Value, f field) {
	if f.initial == "" {
		if v.Kind() == reflect.Struct && !isText(v) {
			d.structure(&node{kind: kindMapping}, "", v)
		}
		return
	}
	d.value(defaultNode(v, f.initial), f.name, v, f)
}

func defaultNode(v reflect.Value, text string) *node {
	n := &node{kind: kindString, text: text}
	if !isText(v) && v.Kind() == reflect.Int {
		n.kind = kindNumber
	}
	if v.Kind() == reflect.Bool {
		n.kind = kindBool
	}
	return n
}

func isText(v reflect.Value) bool {
	_, ok := v.Addr().Interface().(encoding.TextUnmarshaler)
	return ok
}

// value fills one setting.
func (d *decoder) value(n *node, path string, v reflect.Value, f field) {
	if n.kind == kindNull {
		d.report.add(n.place, path, "%s has no value; write one or remove the key", path)
		return
	}
	switch target := v.Addr().Interface().(type) {
	case nodeDecoder:
		target.decodeNode(d, n, path)
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
		if d.is(n, kindMapping, path, v) {
			d.structure(n, path, v)
		}
	case reflect.Map:
		if d.is(n, kindMapping, path, v) {
			d.mapping(n, path, v, f)
		}
	case reflect.Slice:
		if d.is(n, kindList, path, v) {
			d.list(n, path, v, f)
		}
	case reflect.Interface:
		v.Set(reflect.ValueOf(d.free(n, path)))
	default:
		d.scalar(n, path, v, f)
	}
}

// is reports a value of the wrong kind. A scalar in the place of a section may
// be anything and is not shown.
func (d *decoder) is(n *node, want kind, path string, v reflect.Value) bool {
	if n.kind == want {
		return true
	}
	n.hide()
	advice := d.advice(v.Type())
	if h, ok := v.Interface().(interface{ howToWrite() string }); ok {
		advice = h.howToWrite()
	}
	d.report.add(n.place, path, "%s is %s where %s is wanted; %s", path, n.kind, want, advice)
	return false
}

// advice says how a section of a type is written.
func (d *decoder) advice(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice:
		return "begin each item with - or put them all in [ ]"
	case reflect.Map:
		return "write a name, a colon and a value for each"
	}
	var names []string
	for _, f := range d.fieldsOf(t) {
		names = append(names, f.name)
	}
	return "the keys here are " + strings.Join(names, ", ")
}

func (d *decoder) mapping(n *node, path string, v reflect.Value, f field) {
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.entries)))
	given := d.keys(n, path)
	for _, e := range n.entries {
		if given[e.key] != e.value {
			continue
		}
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(e.value, member(path, e.key), item, f)
		if item.Kind() != reflect.Interface || !item.IsNil() {
			v.SetMapIndex(reflect.ValueOf(e.key), item)
		}
	}
}

func (d *decoder) list(n *node, path string, v reflect.Value, f field) {
	v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
	for i, item := range n.items {
		d.value(item, element(path, i), v.Index(i), f)
	}
}
