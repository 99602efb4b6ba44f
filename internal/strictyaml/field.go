package strictyaml

import (
	"reflect"
	"strings"
)

// Field is one setting: what the tags of a struct field say about it.
type Field struct {
	Index    int    // in the struct
	Name     string // json: the key
	Doc      string // doc: a sentence or more for schemas and reference pages
	Default  string // default: as written in the file
	Required bool   // required
	Words    []string
	Min, Max string // of numbers, durations and sizes; Max also of text, in bytes
	Format   string // a name in Rules.Formats
}

// Enum is text that must be one of a few words.
type Enum interface{ Words() []string }

// Advisor is a section that says how to write it to someone who wrote a value
// of another kind instead.
type Advisor interface{ HowToWrite() string }

// Worded is a section that can also be written as one word. SetWord fills it,
// and returns false for text that isn't such a word.
type Worded interface{ SetWord(word string) bool }

// Fields reads the tags of a struct type, in source order.
func Fields(t reflect.Type) []Field {
	var fields []Field
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields = append(fields, Field{
			Index:    i,
			Name:     name,
			Doc:      f.Tag.Get("doc"),
			Default:  f.Tag.Get("default"),
			Required: f.Tag.Get("required") == "true",
			Words:    wordsOf(f),
			Min:      f.Tag.Get("min"),
			Max:      f.Tag.Get("max"),
			Format:   f.Tag.Get("format"),
		})
	}
	return fields
}

func wordsOf(f reflect.StructField) []string {
	if enum := f.Tag.Get("enum"); enum != "" {
		return strings.Split(enum, ",")
	}
	if e, ok := reflect.Zero(f.Type).Interface().(Enum); ok {
		return e.Words()
	}
	return nil
}
