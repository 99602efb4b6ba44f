package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestPage(t *testing.T) {
	name := filepath.Join(t.TempDir(), "page.md")
	text := func(tables string) string { return "before\n\n" + pageBegin + tables + pageEnd + "\nafter\n" }
	if err := os.WriteFile(name, []byte(text("")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tables := range []string{"a first run\n", "a second run\n"} {
		p, err := openPage(name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(p.copyOf(io.Discard), tables)
		if err := p.save(); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(name); err != nil || string(got) != text("\n"+tables+"\n") {
			t.Errorf("the page is %q, %v", got, err)
		}
	}
	if _, err := openPage("page_test.go"); err == nil {
		t.Error("a page without a place for tables is accepted")
	}
}

// The page in docs has a place for the tables.
func TestPageInDocs(t *testing.T) {
	if _, err := openPage("../../docs/performance.md"); err != nil {
		t.Error(err)
	}
}
