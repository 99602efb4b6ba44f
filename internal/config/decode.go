package config

import (
	"encoding"
	"encoding/json"
	"reflect"
	"regexp"
	"strconv"
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

// text fills a setting that is written as text of its own form.
func (d *decoder) text(n *node, path string, target encoding.TextUnmarshaler, f field) {
	if n.kind != kindString && n.kind != kindNumber {
		d.report.add(n.place, path, "%s is %s where text is wanted; write one value", path, n.kind)
		return
	}
	if err := target.UnmarshalText([]byte(n.text)); err != nil {
		d.report.add(n.place, path, "%s: %s", path, err)
		return
	}
	if n.kind == kindNumber {
		d.report.add(n.place, path, "%s is a number to YAML; write it in quotes: %q", path, n.text)
		return
	}
	d.bounds(n, path, reflect.ValueOf(target).Elem(), f)
}

var (
	integer    = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,17})$`)
	jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
)

// scalar fills text, numbers and booleans.
func (d *decoder) scalar(n *node, path string, v reflect.Value, f field) {
	switch v.Kind() {
	case reflect.String:
		if d.isScalar(n, kindString, path) && d.checkText(n, path, f) {
			v.SetString(n.text)
		}
	case reflect.Bool:
		if d.isScalar(n, kindBool, path) {
			v.SetBool(n.text == "true")
		}
	case reflect.Int, reflect.Uint32:
		if d.isScalar(n, kindNumber, path) {
			d.number(n, path, v, f)
		}
	default:
		panic("config: no way to read a " + v.Type().String())
	}
}

func (d *decoder) isScalar(n *node, want kind, path string) bool {
	switch {
	case n.kind == want:
		return true
	case want == kindString && n.kind != kindMapping && n.kind != kindList:
		d.report.add(n.place, path, "%s is %s to YAML; put it in quotes", path, n.kind)
	case want == kindString:
		d.report.add(n.place, path, "%s is %s where text is wanted; write one value", path, n.kind)
	default:
		d.report.add(n.place, path, "%s is %s where %s is wanted; write that, without quotes around it", path, n.kind, want)
	}
	return false
}

// number reads a whole number as people write it: 010 and 0x10 mean different
// things to different readers.
func (d *decoder) number(n *node, path string, v reflect.Value, f field) {
	i, err := strconv.ParseInt(n.text, 10, 64)
	if err != nil || !integer.MatchString(n.text) {
		d.report.add(n.place, path, "%s is not a whole number in plain digits; write it as 0, 7 or 1000", path)
		return
	}
	if v.Kind() == reflect.Uint32 {
		if i < 0 || i >= 1<<32-1 {
			d.report.add(n.place, path, "%s is not a user or group number; they go from 0 to 4294967294", path)
			return
		}
		v.SetUint(uint64(i))
		return
	}
	v.SetInt(i)
	d.bounds(n, path, v, f)
}

// bounds holds a number, duration or size to the min and max of its tags.
func (d *decoder) bounds(n *node, path string, v reflect.Value, f field) {
	if v.Kind() != reflect.Int && v.Kind() != reflect.Int64 {
		return
	}
	if low := bound(v, f.min); low.IsValid() && v.Int() < low.Int() {
		d.report.add(n.place, path, "%s is %v; the least is %s", path, v.Interface(), f.min)
	}
	if high := bound(v, f.max); high.IsValid() && v.Int() > high.Int() {
		d.report.add(n.place, path, "%s is %v; the most is %s", path, v.Interface(), f.max)
	}
}

// bound reads a min or max tag in the type of v.
func bound(v reflect.Value, tag string) reflect.Value {
	if tag == "" {
		return reflect.Value{}
	}
	b := reflect.New(v.Type())
	if t, ok := b.Interface().(encoding.TextUnmarshaler); ok {
		if err := t.UnmarshalText([]byte(tag)); err != nil {
			panic("config: bad tag: " + err.Error())
		}
	} else if i, err := strconv.ParseInt(tag, 10, 64); err == nil {
		b.Elem().SetInt(i)
	}
	return b.Elem()
}

// checkText holds text to its words, its length and its format.
func (d *decoder) checkText(n *node, path string, f field) bool {
	shown := quote(n.text)
	if n.secret {
		shown = hiddenText
	}
	if n.text == "" {
		d.report.add(n.place, path, "%s is empty; write a value or remove the key", path)
		return false
	}
	if len(f.words) > 0 && indexOfWord(f.words, n.text) < 0 {
		advice := "use one of " + strings.Join(f.words, ", ")
		if near := nearest(n.text, f.words); near != "" && len(f.words) > 3 {
			advice = "did you mean " + near + "? The words are " + strings.Join(f.words, ", ")
		}
		d.report.add(n.place, path, "%s: %s is not known; %s", path, shown, advice)
		return false
	}
	if most, err := strconv.Atoi(f.max); err == nil && len(n.text) > most {
		d.report.add(n.place, path, "%s has %d bytes; the most is %d", path, len(n.text), most)
		return false
	}
	if form, ok := d.formats[f.format]; ok {
		if err := form.check(n.text); err != nil {
			d.report.add(n.place, path, "%s: %s %s", path, shown, err)
			return false
		}
	}
	return true
}

func indexOfWord(words []string, word string) int {
	for i, w := range words {
		if w == word {
			return i
		}
	}
	return -1
}

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
