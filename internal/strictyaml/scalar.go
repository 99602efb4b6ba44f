package strictyaml

import (
	"encoding"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/assertd/assertd/internal/spelling"
)

// text fills a setting that reads its own text.
func (d *decoder) text(n *node, path string, target encoding.TextUnmarshaler, f Field) {
	if n.kind != String && n.kind != Number {
		d.report.add(n.place, path, "%s must be text, not %s; write a single value", path, n.kind)
		return
	}
	if err := target.UnmarshalText([]byte(n.text)); err != nil {
		d.report.add(n.place, path, "%s: %s", path, err)
		return
	}
	if n.kind == Number {
		d.report.add(n.place, path, "YAML reads %s as a number; put it in quotes: %q", path, n.text)
		return
	}
	d.bounds(n, path, reflect.ValueOf(target).Elem(), f)
}

var integer = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,17})$`)

// scalar fills text, numbers and booleans.
func (d *decoder) scalar(n *node, path string, v reflect.Value, f Field) {
	switch v.Kind() {
	case reflect.String:
		if d.isScalar(n, String, path) && d.checkText(n, path, f) {
			v.SetString(n.text)
		}
	case reflect.Bool:
		if d.isScalar(n, Bool, path) {
			v.SetBool(n.text == "true")
		}
	case reflect.Int, reflect.Uint32:
		if d.isScalar(n, Number, path) {
			d.number(n, path, v, f)
		}
	default:
		panic("strictyaml: no way to read a " + v.Type().String())
	}
}

func (d *decoder) isScalar(n *node, want Kind, path string) bool {
	switch {
	case n.kind == want:
		return true
	case want == String && n.kind != Mapping && n.kind != List:
		d.report.add(n.place, path, "YAML reads %s as %s; put it in quotes", path, n.kind)
	case want == String:
		d.report.add(n.place, path, "%s must be text, not %s; write a single value", path, n.kind)
	default:
		d.report.add(n.place, path, "%s must be %s, not %s; write it without quotes", path, want, n.kind)
	}
	return false
}

// number reads a whole number in plain digits only: 010 and 0x10 mean different
// things to different programs. A uint32 is a user or group id.
func (d *decoder) number(n *node, path string, v reflect.Value, f Field) {
	i, err := strconv.ParseInt(n.text, 10, 64)
	if err != nil || !integer.MatchString(n.text) {
		d.report.add(n.place, path, "%s is not a whole number; write it in plain digits, such as 0, 7 or 1000", path)
		return
	}
	if v.Kind() == reflect.Uint32 {
		if i < 0 || i >= 1<<32-1 {
			d.report.add(n.place, path, "%s is not a user or group ID; use 0 to 4294967294", path)
			return
		}
		v.SetUint(uint64(i))
		return
	}
	v.SetInt(i)
	d.bounds(n, path, v, f)
}

// bounds checks a number, duration or size against its min and max tags.
func (d *decoder) bounds(n *node, path string, v reflect.Value, f Field) {
	if v.Kind() != reflect.Int && v.Kind() != reflect.Int64 {
		return
	}
	if low := bound(v, f.Min); low.IsValid() && v.Int() < low.Int() {
		d.report.add(n.place, path, "%s is %v; the minimum is %s", path, v.Interface(), f.Min)
	}
	if high := bound(v, f.Max); high.IsValid() && v.Int() > high.Int() {
		d.report.add(n.place, path, "%s is %v; the maximum is %s", path, v.Interface(), f.Max)
	}
}

// bound parses a min or max tag as the type of v.
func bound(v reflect.Value, tag string) reflect.Value {
	if tag == "" {
		return reflect.Value{}
	}
	b := reflect.New(v.Type())
	if t, ok := b.Interface().(encoding.TextUnmarshaler); ok {
		if err := t.UnmarshalText([]byte(tag)); err != nil {
			panic("strictyaml: bad tag: " + err.Error())
		}
	} else if i, err := strconv.ParseInt(tag, 10, 64); err == nil {
		b.Elem().SetInt(i)
	}
	return b.Elem()
}

// checkText checks text against its words, maximum length and format.
func (d *decoder) checkText(n *node, path string, f Field) bool {
	shown := Quote(n.text)
	if n.secret {
		shown = hiddenText
	}
	if n.text == "" {
		d.report.add(n.place, path, "%s is empty; set a value, or remove the key", path)
		return false
	}
	if d.endsWithBreak(n, path) {
		return false
	}
	if len(f.Words) > 0 && !slices.Contains(f.Words, n.text) {
		advice := "use one of " + strings.Join(f.Words, ", ")
		if near := spelling.Nearest(n.text, f.Words); near != "" && len(f.Words) > 3 {
			advice = "did you mean " + near + "? Valid values are " + strings.Join(f.Words, ", ")
		}
		d.report.add(n.place, path, "%s: unknown value %s; %s", path, shown, advice)
		return false
	}
	if most, err := strconv.Atoi(f.Max); err == nil && len(n.text) > most {
		d.report.add(n.place, path, "%s is %d bytes long; the maximum is %d", path, len(n.text), most)
		return false
	}
	if form, ok := d.rules.Formats[f.Format]; ok {
		if err := form.Check(n.text); err != nil {
			d.report.add(n.place, path, "%s: %s %s", path, shown, err)
			return false
		}
	}
	return true
}

func (d *decoder) endsWithBreak(n *node, path string) bool {
	if n.lineBreak {
		d.report.add(n.place, path, "%s ends with a line break; write |- or >- to leave it out", path)
	}
	return n.lineBreak
}
