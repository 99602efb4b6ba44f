package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// The lines between which a page has the tables of the last whole run.
const (
	pageBegin = "<!-- One run of make bench-page begins. -->\n"
	pageEnd   = "<!-- One run of make bench-page ends. -->\n"
)

// page is a file that shows the tables of a run. A nil page shows none.
type page struct {
	name          string
	before, after []byte
	tables        bytes.Buffer
}

// openPage reads a page before the run, which takes minutes. An empty name is
// no page.
func openPage(name string) (*page, error) {
	if name == "" {
		return nil, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	before, rest, began := bytes.Cut(text, []byte(pageBegin))
	_, after, ended := bytes.Cut(rest, []byte(pageEnd))
	if !began || !ended {
		return nil, fmt.Errorf("%s has no place for the tables; add the lines\n%s%s", name, pageBegin, pageEnd)
	}
	return &page{name: name, before: before, after: after}, nil
}

// copyOf is a writer of tables that the page gets too.
func (p *page) copyOf(tables io.Writer) io.Writer {
	if p == nil {
		return tables
	}
	return io.MultiWriter(tables, &p.tables)
}

// save replaces the tables in the page.
func (p *page) save() error {
	if p == nil {
		return nil
	}
	text := bytes.Join([][]byte{p.before, []byte(pageBegin), []byte("\n"), p.tables.Bytes(), []byte("\n"), []byte(pageEnd), p.after}, nil)
	return os.WriteFile(p.name, text, 0o644)
}
