package main

import (
	"fmt"
	"go/importer"
	"go/token"
	"math"
	"os"
	"path/filepath"
	"testing"
)

const declarations = `package sample

type A struct { X, Y, Z int; F func() int }
type B struct { X, Y, Z int }
type C struct { P, Q, R int }
type D A

func (a A) Get() int { return a.X }

func convert(a A, b B, n int) (out C) {
	%s
	return out
}
`

func TestConversions(t *testing.T) {
	for _, test := range []struct{ name, body, want string }{
		{"copy", "_ = B{X: a.X, Y: a.Y}", "sample.A -> sample.B, copies"},
		{"copy without names", "_ = B{a.X, a.Y, a.Z}", "sample.A -> sample.B, copies"},
		{"through a pointer", "p := &a; _ = &B{X: p.X, Y: p.Y}", "sample.A -> sample.B, copies"},
		{"other names", "_ = C{P: a.X, Q: a.Y}", "sample.A -> sample.C"},
		{"computed and got", "_ = C{P: a.Get(), Q: int(a.Y), R: n}", "sample.A -> sample.C"},
		{"two sources", "_ = C{P: a.X, Q: b.Y, R: n}", "sample.A + sample.B -> sample.C"},
		{"assigned", "out.P, out.Q = a.X, a.Y; out.R = a.Z", "sample.A -> sample.C"},
		{"a type conversion", "_ = D(a)", "sample.A -> sample.D, copies"},
		{"half", "_ = B{X: a.X, Y: a.Y, Z: n + 1}; _ = C{P: a.X, Q: n}", "sample.A -> sample.B"},
		{"one value", "_ = C{P: a.X}", ""},
		{"calls", "_ = C{P: a.F(), Q: a.F()}", ""},
		{"parameters", "_ = C{P: n, Q: n, R: n}", ""},
		{"both in each value", "_ = C{P: a.X + b.X, Q: a.Y + b.Y}", ""},
		{"two assignments", "out.P, out.Q = a.X, a.Y", ""},
		{"its own fields", "out.P, out.Q, out.R = out.Q, out.R, out.P", ""},
		{"the same type", "_ = A(a)", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := ""
			for _, c := range sample(t, test.body).conversions() {
				got += c.from + " -> " + c.to
				if c.copies {
					got += ", copies"
				}
			}
			if got != test.want {
				t.Errorf("%s is %q, want %q", test.body, got, test.want)
			}
		})
	}
}

// sample is a file whose every line is on the path.
func sample(t *testing.T, body string) *sourceFile {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "sample.go"), fmt.Appendf(nil, declarations, body), 0o600); err != nil {
		t.Fatal(err)
	}
	p := goPackage{ImportPath: module + "sample", Dir: dir, GoFiles: []string{"sample.go"}}
	blocks := map[string][]block{module + "sample/sample.go": {{end: math.MaxInt}}}
	files, err := p.load(blocks, token.NewFileSet(), importer.Default())
	if err != nil {
		t.Fatal(err)
	}
	return files[0]
}

// What no request runs is not on the path, whatever it converts.
func TestOnlyThePathCounts(t *testing.T) {
	f := sample(t, "_ = B{X: a.X, Y: a.Y}")
	f.blocks = []block{{start: positionOf(1, 1), end: positionOf(8, 1)}}
	if found := f.conversions(); len(found) != 0 {
		t.Errorf("found %v", found)
	}
	if names := f.functions(); len(names) != 0 {
		t.Errorf("functions %v", names)
	}
	f.blocks = []block{{start: positionOf(8, 20), end: positionOf(8, 30)}}
	if names := f.functions(); fmt.Sprint(names) != "[A.Get]" {
		t.Errorf("functions %v, want A.Get", names)
	}
}
