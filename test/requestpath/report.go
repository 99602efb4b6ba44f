package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// The limits.
const (
	maxFiles       = 50
	maxPackages    = 13
	maxConversions = 18
	maxTrips       = 0
	unlimited      = -1
)

// report is what is on the path.
type report struct {
	packages    []*packagePath
	conversions []conversion
}

type packagePath struct {
	name      string // within the module
	files     []string
	functions int
}

// measurement is one line of the summary.
type measurement struct {
	name         string
	found, limit int
}

func newReport(files []*sourceFile) *report {
	r := new(report)
	for _, f := range files {
		if len(r.packages) == 0 || r.packages[len(r.packages)-1].name != f.pkg {
			r.packages = append(r.packages, &packagePath{name: f.pkg})
		}
		p := r.packages[len(r.packages)-1]
		names := f.functions()
		p.functions += len(names)
		p.files = append(p.files, f.base+": "+strings.Join(names, " "))
		r.conversions = append(r.conversions, f.conversions()...)
	}
	return r
}

func (r *report) summary() []measurement {
	files, functions, copies, trips := 0, 0, 0, 0
	for _, p := range r.packages {
		files += len(p.files)
		functions += p.functions
		if p.name == "internal/daemon" {
			trips += p.functions
		}
	}
	for _, c := range r.conversions {
		if c.copies {
			copies++
		}
	}
	return []measurement{
		{"files", files, maxFiles},
		{"functions", functions, unlimited},
		{"packages", len(r.packages), maxPackages},
		{"struct conversions", len(r.conversions), maxConversions},
		{"conversions that only copy fields", copies, 0},
		{"trips through internal/daemon", trips, maxTrips},
	}
}

func (r *report) exceeds() bool { return slices.ContainsFunc(r.summary(), measurement.exceeds) }

func (m measurement) exceeds() bool { return m.limit != unlimited && m.found > m.limit }

func (m measurement) limitText() string {
	switch {
	case m.limit == unlimited:
		return "none"
	case m.exceeds():
		return fmt.Sprintf("%d, exceeded", m.limit)
	}
	return fmt.Sprint(m.limit)
}

func (m measurement) foundText() string {
	if m.found == 0 {
		return "none"
	}
	return fmt.Sprint(m.found)
}

func (r *report) text(w io.Writer) {
	fmt.Fprintf(w, "One warm POST /v1/assertions in the front%13s   limit\n", "found")
	for _, m := range r.summary() {
		fmt.Fprintf(w, "  %-44s %7s   %s\n", m.name, m.foundText(), m.limitText())
	}
	for _, p := range r.packages {
		fmt.Fprintf(w, "\n%s: files %d, functions %d\n", p.name, len(p.files), p.functions)
		for _, file := range p.files {
			fmt.Fprintln(w, wrap("  "+file))
		}
	}
	fmt.Fprintln(w, "\nstruct conversions")
	for _, c := range r.conversions {
		fmt.Fprintf(w, "  %s%s\n    %s -> %s\n", c.at, c.note(), c.from, c.to)
	}
}

func (c conversion) note() string {
	if c.copies {
		return " (copies only)"
	}
	return ""
}

// wrap breaks a line at 80 columns, if it can.
func wrap(line string) string {
	if len(line) <= 80 {
		return line
	}
	cut := strings.LastIndexByte(line[:81], ' ')
	if cut < 4 {
		return line
	}
	return line[:cut] + "\n" + wrap("    "+line[cut+1:])
}

// markdown leaves out what most changes would make wrong: line numbers, and the
// names of functions.
func (r *report) markdown(w io.Writer) {
	fmt.Fprint(w, "| on the path | found | limit |\n|---|---|---|\n")
	for _, m := range r.summary() {
		fmt.Fprintf(w, "| %s | %s | %s |\n", m.name, m.foundText(), m.limitText())
	}
	fmt.Fprint(w, "\n| package | files | functions |\n|---|---|---|\n")
	for _, p := range r.packages {
		fmt.Fprintf(w, "| `%s` | %d | %d |\n", p.name, len(p.files), p.functions)
	}
	fmt.Fprint(w, "\n| conversion in | from | to |\n|---|---|---|\n")
	for _, c := range r.conversions {
		file, _, _ := strings.Cut(c.at, ":")
		fmt.Fprintf(w, "| `%s`%s | `%s` | `%s` |\n", file, c.note(), c.from, c.to)
	}
}
