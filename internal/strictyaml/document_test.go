package strictyaml

import (
	"errors"
	"strings"
	"testing"
)

// menu is a small file of our own.
type menu struct {
	Name   string         `json:"name" required:"true" max:"8" doc:"The name."`
	Dishes map[string]int `json:"dishes,omitzero" min:"1" max:"99" doc:"Prices by dish."`
	Tags   []string       `json:"tags,omitzero" enum:"hot,cold" doc:"The tags."`
	Note   any            `json:"note,omitzero" doc:"Anything."`
	Open   bool           `json:"open" default:"true" doc:"Whether it is open."`
	Prices prices         `json:"prices" doc:"Settings with a form of their own."`
}

// prices can be "fixed" or a list.
type prices struct {
	fixed bool
	list  []any
}

func (p *prices) DecodeYAML(v Value) {
	switch {
	case v.Kind() == String && v.Text() == "fixed":
		p.fixed = true
	case v.Kind() == List:
		p.list = v.Items()
	default:
		v.Fault("write fixed, or a list")
	}
}

func parse(t *testing.T, text string) (*Document, menu) {
	t.Helper()
	var m menu
	d, err := Parse("menu.yaml", []byte(text), Rules{MaxSize: 1 << 10, Start: "start with name:"})
	if err != nil {
		t.Fatal(err)
	}
	d.Decode(&m)
	return d, m
}

func TestDecode(t *testing.T) {
	d, m := parse(t, "name: lunch\ndishes: {soup: 4}\ntags: [hot]\nnote: {a: [1.50, yes]}\nprices: fixed\n")
	if err := d.Err(); err != nil {
		t.Fatal(err)
	}
	if m.Name != "lunch" || m.Dishes["soup"] != 4 || len(m.Tags) != 1 || !m.Open || !m.Prices.fixed {
		t.Errorf("%+v", m)
	}
	for path, want := range map[string]bool{"": true, "name": true, "dishes.soup": true, "tags[0]": true, "tags[1]": false, "open": false, "none.soup": false} {
		if d.Has(path) != want {
			t.Errorf("Has(%q) is %v", path, !want)
		}
	}
	if at, line := d.At("dishes.soup"), d.Line("note.a"); at != "menu.yaml:2:16" || line != 4 {
		t.Errorf("at %s, line %d", at, line)
	}
}

// TestFaults: a mistake that decoding found is not reported a second time.
func TestFaults(t *testing.T) {
	d, _ := parse(t, "name: far too long\ndishes: {soup: 4, stew: 0}\npin: 4711\n")
	d.Fault("name", "repeated")
	d.Fault("dishes", "repeated")
	d.Fault("dishes.soup", "too cheap")
	d.FaultKey("dishes", "soup", "no such dish")
	err := d.Err()
	var invalid *Error
	if !errors.As(err, &invalid) || !errors.Is(err, ErrInvalid) || len(invalid.Problems) != 5 {
		t.Fatal(err)
	}
	for _, want := range []string{"menu.yaml:1:7: name is 12 bytes long", ":2:16: too cheap", ":2:10: no such dish", ":2:25: dishes.stew is 0", `:3:1: unknown key "pin"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "4711") || strings.Contains(err.Error(), "repeated") {
		t.Error(err)
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "start with name:",
		"- a":                      "start with name:",
		"name: *a":                 "aliases",
		"name: a\n---\nname: b\n":  "second document",
		"name: \x1b[1m":            "U+001B",
		"name: \xff":               "UTF-8",
		strings.Repeat("#", 1<<11): "1024 bytes",
	} {
		_, err := Parse("menu.yaml", []byte(text), Rules{MaxSize: 1 << 10, Start: "start with name:"})
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}
