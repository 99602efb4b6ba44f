package strictyaml

import (
	"errors"
	"fmt"
	"sort"
	"strings"
)

// ErrInvalid is the kind of every error about a file's content.
var ErrInvalid = errors.New("the file is not valid")

// Problem is one mistake in a file.
type Problem struct {
	Line, Column int    // from 1; columns count characters
	Path         string // the setting, such as clients[2].grants[0].key
	Message      string // what is wrong, and how to fix it
	Excerpt      string // the line, with a caret under the place; empty if it could show a secret
}

// Error is every mistake in one file, in line order. It unwraps to ErrInvalid.
// None of its fields contains a secret's value.
type Error struct {
	File     string
	Problems []Problem
}

// maxShown limits what Error prints. Problems has them all.
const maxShown = 50

func (e *Error) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i == maxShown {
			fmt.Fprintf(&b, "\n%s: and %d more; fix these first", e.File, len(e.Problems)-i)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s:%d:%d: %s", e.File, p.Line, p.Column, p.Message)
		if p.Excerpt != "" {
			b.WriteByte('\n')
			b.WriteString(p.Excerpt)
		}
	}
	return b.String()
}

// Unwrap makes the error match ErrInvalid.
func (e *Error) Unwrap() error { return ErrInvalid }

// report collects the problems of one file.
type report struct {
	name     string
	lines    []string
	problems []Problem
	faulty   map[string]bool // paths of problems
	around   map[string]bool // every path around those
}

// maxProblems limits the memory that a hostile file can use.
const maxProblems = 1000

func newReport(name string, data []byte) *report {
	return &report{
		name: name, lines: strings.Split(string(data), "\n"),
		faulty: make(map[string]bool), around: make(map[string]bool),
	}
}

// add reports a mistake at a place.
func (r *report) add(at place, path, format string, args ...any) {
	if len(r.problems) >= maxProblems {
		return
	}
	r.problems = append(r.problems, Problem{Line: at.line, Column: at.column, Path: path, Message: fmt.Sprintf(format, args...)})
	r.faulty[path] = true
	for p := path; p != ""; {
		p = parentPath(p)
		r.around[p] = true
	}
}

// excuse notes that the file has a setting under a misspelt key, so its absence
// is not another mistake.
func (r *report) excuse(path string) { r.faulty[path] = true }

// within reports whether path is a setting that is wrong, or is inside one.
func (r *report) within(path string) bool {
	for p := path; p != ""; p = parentPath(p) {
		if r.faulty[p] {
			return true
		}
	}
	return false
}

// err returns the problems as one *Error, or nil. Without root, the tree of the
// file, it shows no excerpts: nothing says which parts are secret.
func (r *report) err(root *node) error {
	if len(r.problems) == 0 {
		return nil
	}
	sort.SliceStable(r.problems, func(i, j int) bool {
		a, b := r.problems[i], r.problems[j]
		return a.Line < b.Line || a.Line == b.Line && a.Column < b.Column
	})
	if root != nil {
		hidden := secretRegions(root)
		for i := range r.problems {
			p := &r.problems[i]
			p.Excerpt = excerpt(r.lines, place{p.Line, p.Column}, hidden)
		}
	}
	return &Error{File: r.name, Problems: r.problems}
}
