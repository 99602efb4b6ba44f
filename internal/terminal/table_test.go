package terminal

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

const testKid = "y1QTLBtMzkpbaHlBpPLcfIZFjkcE2aSNGQgSKwxcbGY"

func testTable() *Table {
	t := NewTable("KEY SET", "KID", "NEXT")
	t.Row("payments", Kid(testKid), "retired in 3 days, unless the next version is late\x1b")
	t.Row("reports", Kid(""), Cell{Text: "none", Color: Bad})
	return t
}

// A table is as wide as it needs to be where programs read it.
func TestTableInAPipe(t *testing.T) {
	var out bytes.Buffer
	if err := testTable().Write(NewText(&out)); err != nil {
		t.Fatal(err)
	}
	want := "KEY SET   KID                                          NEXT\n" +
		"payments  " + testKid + `  retired in 3 days, unless the next version is late\x1b` + "\n" +
		"reports   -                                            none\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

// On a terminal no line is too long and no word is broken, at any width.
func TestTableFits(t *testing.T) {
	for width := 24; width < 120; width++ {
		var out bytes.Buffer
		table := testTable().short()
		if columns := table.fit(width); columns != nil {
			_ = table.lines(&out, columns)
		} else {
			_ = table.blocks(&out, width)
		}
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("a line of %d columns for %d: %q", n, width, line)
			}
		}
		for _, word := range strings.Fields(`payments y1QTLBtMzk… retired unless version late\x1b reports none`) {
			if !strings.Contains(out.String(), word) {
				t.Errorf("%d columns break %q:\n%s", width, word, out.String())
			}
		}
	}
}

// Columns that are missed least go before rows become blocks.
func TestTableSparesColumns(t *testing.T) {
	table := testTable()
	if got := table.without("KID").without("none"); len(got.head) != 2 || len(got.rows[0]) != 2 || got.rows[1][1].Text != "none" {
		t.Errorf("got %v, %v", got.head, got.rows)
	}
	if len(table.head) != 3 || len(table.rows[0]) != 3 {
		t.Error("the table itself has changed")
	}
}

func TestWrap(t *testing.T) {
	for _, test := range []struct{ given, want string }{
		{"short", "short"},
		{"one two three four", "one two\nthree four"},
		{"  one two three", "  one two\n  three"},
		{"aaaaaaaaaaaaaaaa b", "aaaaaaaaaaaaaaaa\nb"},
		{"one\ntwo three four\n", "one\ntwo three\nfour\n"},
		{"a  b  c", "a  b  c"},
	} {
		if got := Wrap(test.given, 10); got != test.want {
			t.Errorf("%q: got %q, want %q", test.given, got, test.want)
		}
	}
}

func TestFacts(t *testing.T) {
	var f Facts
	f.Add("kid", testKid)
	f.Add("key set", "")
	f.Add("state", "signing")
	var out bytes.Buffer
	if err := f.Write(&out); err != nil || out.String() != "kid    "+testKid+"\nstate  signing\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}
