package config

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// Problem is one mistake in a configuration.
type Problem struct {
	Line, Column int    // both from 1; columns count characters
	Path         string // the setting, such as clients[2].grants[0].key
	Message      string // what is wrong and what to do
	Excerpt      string // the line and a caret under the place; empty where it could show a secret
}

// Error is every mistake of one configuration, in the order of the lines. It
// unwraps to ErrInvalid. Values of secrets are in none of its fields.
type Error struct {
	File     string
	Problems []Problem
}

// maxShown bounds what Error prints; Problems has them all.
const maxShown = 50

func (e *Error) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i == maxShown {
			fmt.Fprintf(&b, "\n%s: and %d more; mend these first", e.File, len(e.Problems)-i)
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

// report collects the problems of one configuration.
type report struct {
	name     string
	lines    []string
	begin    string // how a file begins, for the writer of an empty one
	root     *node  // nil until the file could be read as YAML
	problems []Problem
	faulty   map[string]bool // paths of problems
	around   map[string]bool // every path around those
}

// maxProblems bounds the memory that a hostile file can claim.
const maxProblems = 1000

func newReport(name string, data []byte) *report {
	return &report{
		name: name, lines: strings.Split(string(data), "\n"),
		begin:  "begin with hsm: and keys:, as in examples/config/minimal.yaml",
		faulty: make(map[string]bool), around: make(map[string]bool),
	}
}

// add reports a mistake in the form of one setting.
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

// fault reports a mistake in what settings mean, at the nearest place that the
// file has for path. It says nothing where the setting, something in it or
// something around it was already found wrong: that would only repeat it.
func (r *report) fault(path, format string, args ...any) {
	if !r.around[path] && !r.within(path) {
		r.add(r.root.find(path).place, path, format, args...)
	}
}

// excuse says that the file meant a setting to be there but misspelt it, so that
// its absence is no further mistake.
func (r *report) excuse(path string) { r.faulty[path] = true }

// within reports whether path lies at or in a setting that is wrong.
func (r *report) within(path string) bool {
	for p := path; p != ""; p = parentPath(p) {
		if r.faulty[p] {
			return true
		}
	}
	return false
}

func (r *report) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	sort.SliceStable(r.problems, func(i, j int) bool {
		a, b := r.problems[i], r.problems[j]
		return a.Line < b.Line || a.Line == b.Line && a.Column < b.Column
	})
	hidden := secretRegions(r.root)
	for i := range r.problems {
		p := &r.problems[i]
		if r.root != nil {
			p.Excerpt = excerpt(r.lines, place{p.Line, p.Column}, hidden)
		}
	}
	return &Error{File: r.name, Problems: r.problems}
}

// quote shows a value of the file in a message: on one line, bounded, and
// never anything that looks like a PIN.
func quote(s string) string {
	const most = 60
	if looksSecret.MatchString(s) {
		return hiddenText
	}
	if runes := []rune(s); len(runes) > most {
		return strconv.Quote(string(runes[:most])) + "…"
	}
	return strconv.Quote(s)
}
