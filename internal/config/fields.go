package config

import (
	"reflect"
	"strings"
)

// field is what the tags of a struct field say about one setting.
type field struct {
	index    int
	name     string // json: the key
	doc      string // doc: for the schema and the reference page
	initial  string // default: as it would be written
	required bool   // required
	words    []string
	min, max string // of numbers, durations and sizes; max of text in bytes
	format   string // a name in formats
}

// worded is text that is one of a few words.
type worded interface{ words() []string }

// fieldsOf reads the tags of a struct type, in the order of the source.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields = append(fields, field{
			index:    i,
			name:     name,
			doc:      f.Tag.Get("doc"),
			initial:  f.Tag.Get("default"),
			required: f.Tag.Get("required") == "true",
			words:    wordsOf(f),
			min:      f.Tag.Get("min"),
			max:      f.Tag.Get("max"),
			format:   f.Tag.Get("format"),
		})
	}
	return fields
}

func wordsOf(f reflect.StructField) []string {
	if enum := f.Tag.Get("enum"); enum != "" {
		return strings.Split(enum, ",")
	}
	if w, ok := reflect.Zero(f.Type).Interface().(worded); ok {
		return w.words()
	}
	return nil
}
