package config

import "reflect"

// File is a YAML file beside the configuration, such as the cases of a policy
// test, that is read as strictly and reports mistakes in the same way.
type File struct{ report *report }

// ReadFile fills the struct that into points at from data, by the same struct
// tags that the configuration's own types have; name stands for the file in
// errors, and begin says to the writer of an empty file how to begin. Mistakes
// are in Err, together with those that Fault adds.
func ReadFile(name string, data []byte, into any, begin string) *File {
	r := newReport(name, data)
	r.begin = begin
	root := readTree(data, r)
	if root == nil {
		return &File{report: r}
	}
	r.root = root
	d := &decoder{report: r, fields: make(map[reflect.Type][]field), formats: formats()}
	d.structure(root, "", reflect.ValueOf(into).Elem())
	return &File{report: r}
}

// Fault reports what is wrong with the setting at a path such as
// "cases[2].request.audience", and what to do.
func (f *File) Fault(path, format string, args ...any) {
	if f.report.root != nil {
		f.report.fault(path, format, args...)
	}
}

// Line is the line of the setting at a path, or of the nearest one around it.
func (f *File) Line(path string) int {
	if f.report.root == nil {
		return 1
	}
	return f.report.root.find(path).line
}

// Err is every mistake so far as one *Error, nil where there is none.
func (f *File) Err() error { return f.report.err() }
