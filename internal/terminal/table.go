package terminal

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// gap is the number of spaces between columns.
const gap = 2

// Table is rows below a heading. Where it is too wide for the terminal, cells
// are broken between words. Where that doesn't do, the columns in Spare are
// left out one by one, and at last each row becomes a block of lines.
// Elsewhere, and with Wide, each row is one line.
type Table struct {
	Wide   bool
	Indent int
	Spare  []string // columns that people miss least, by heading

	head []Cell
	rows [][]Cell
}

// Cell is one cell of a table.
type Cell struct {
	Text  string
	Short string // shown on a terminal instead of Text, if not empty
	Color Color
}

// shortKid is how many characters of a kid stand for it on a terminal.
const shortKid = 10

// Kid is the cell of a kid, which a terminal shows in short.
func Kid(kid string) Cell {
	if len(kid) <= shortKid+1 {
		return Cell{Text: Dash(kid)}
	}
	return Cell{Text: kid, Short: kid[:shortKid] + "…"}
}

// NewTable makes a table with a heading.
func NewTable(head ...string) *Table {
	t := &Table{}
	for _, text := range head {
		t.head = append(t.head, Cell{Text: text, Color: Head})
	}
	return t
}

// Row adds a row. A cell is a [Cell], or else its text.
func (t *Table) Row(cells ...any) {
	row := make([]Cell, 0, len(cells))
	for _, c := range cells {
		cell, ok := c.(Cell)
		if !ok {
			cell = Cell{Text: fmt.Sprint(c)}
		}
		cell.Text = Line(cell.Text)
		row = append(row, cell)
	}
	t.rows = append(t.rows, row)
}

// Len returns the number of rows.
func (t *Table) Len() int { return len(t.rows) }

// Write writes the table, and nothing if it has no rows.
func (t *Table) Write(out io.Writer) error {
	if len(t.rows) == 0 {
		return nil
	}
	width := Width(out)
	if width == 0 || t.Wide {
		return t.lines(out, t.widths(longest))
	}
	full := t.short()
	fitted := full
	for _, spare := range append([]string{""}, t.Spare...) {
		fitted = fitted.without(spare)
		if columns := fitted.fit(width - t.Indent); columns != nil {
			return fitted.lines(out, columns)
		}
	}
	return full.blocks(out, width)
}

// WriteTables writes those tables that have rows, an empty line between them.
func WriteTables(out io.Writer, tables ...*Table) error {
	tables = slices.DeleteFunc(tables, func(t *Table) bool { return t.Len() == 0 })
	for i, t := range tables {
		if i > 0 {
			if err := write(out, "\n"); err != nil {
				return err
			}
		}
		if err := t.Write(out); err != nil {
			return err
		}
	}
	return nil
}

// without is the table without a column.
func (t *Table) without(column string) *Table {
	at := slices.IndexFunc(t.head, func(c Cell) bool { return c.Text == column })
	if at < 0 {
		return t
	}
	rest := &Table{Indent: t.Indent, head: slices.Delete(slices.Clone(t.head), at, at+1)}
	for _, row := range t.rows {
		rest.rows = append(rest.rows, slices.Delete(slices.Clone(row), at, at+1))
	}
	return rest
}

// short is the table with the short texts.
func (t *Table) short() *Table {
	shown := &Table{Indent: t.Indent, head: t.head}
	for _, row := range t.rows {
		row = slices.Clone(row)
		for i, c := range row {
			row[i].Text = cmp.Or(c.Short, c.Text)
		}
		shown.rows = append(shown.rows, row)
	}
	return shown
}

// longest and longestWord are how many columns a text needs, in one line and at
// least.
func longest(text string) int { return utf8.RuneCountInString(text) }

func longestWord(text string) (most int) {
	for word := range strings.FieldsSeq(text) {
		most = max(most, longest(word))
	}
	return most
}

// widths is what each column needs.
func (t *Table) widths(of func(string) int) []int {
	widths := make([]int, len(t.head))
	for _, row := range append([][]Cell{t.head}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], of(cell.Text))
		}
	}
	return widths
}

// fit narrows the widest columns until the table fits, or returns nil.
func (t *Table) fit(width int) []int {
	widths, least := t.widths(longest), t.widths(longestWord)
	need := gap * (len(widths) - 1)
	for _, w := range widths {
		need += w
	}
	for ; need > width; need-- {
		widest := -1
		for i := range widths {
			if widths[i] > least[i] && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return nil
		}
		widths[widest]--
	}
	return widths
}

// lines writes the heading and each row.
func (t *Table) lines(out io.Writer, widths []int) error {
	return writeRows(out, t.Indent, append([][]Cell{t.head}, t.rows...), widths)
}

// writeRows writes each row, in as many lines as its narrowest cell needs.
func writeRows(out io.Writer, indent int, rows [][]Cell, widths []int) error {
	for _, row := range rows {
		broken, height := make([][]string, len(row)), 1
		for i, cell := range row {
			broken[i] = []string{cell.Text}
			if longest(cell.Text) > widths[i] {
				broken[i] = strings.Split(Wrap(cell.Text, widths[i]), "\n")
			}
			height = max(height, len(broken[i]))
		}
		for n := range height {
			if err := writeLine(out, indent, row, broken, widths, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeLine writes line n of a row.
func writeLine(out io.Writer, pad int, row []Cell, broken [][]string, widths []int, n int) error {
	for i, cell := range row {
		text := ""
		if n < len(broken[i]) {
			text = broken[i][n]
		}
		if text != "" {
			if err := cmp.Or(write(out, strings.Repeat(" ", pad)), Paint(out, cell.Color, text)); err != nil {
				return err
			}
			pad = 0
		}
		pad += widths[i] - min(longest(text), widths[i]) + gap
	}
	return write(out, "\n")
}

// blocks writes each row as a block of lines, one for each cell.
func (t *Table) blocks(out io.Writer, width int) error {
	label := 0
	for _, head := range t.head {
		label = max(label, longest(head.Text))
	}
	for n, row := range t.rows {
		if n > 0 {
			if err := write(out, "\n"); err != nil {
				return err
			}
		}
		var block [][]Cell
		value := width - t.Indent - label - gap
		for i, cell := range row {
			cell.Text = cut(cell.Text, value)
			block = append(block, []Cell{t.head[i], cell})
		}
		if err := writeRows(out, t.Indent, block, []int{label, value}); err != nil {
			return err
		}
	}
	return nil
}

// cut shortens the words that are longer than a width: a terminal would break
// them.
func cut(text string, width int) string {
	words := strings.Split(text, " ")
	for i, word := range words {
		if runes := []rune(word); len(runes) > width && width > 1 {
			words[i] = string(runes[:width-1]) + "…"
		}
	}
	return strings.Join(words, " ")
}

func write(out io.Writer, text string) error {
	_, err := io.WriteString(out, text)
	return err
}

// Facts is names with what they stand for, one on a line. On a terminal, the
// rest of a long one is below its start.
type Facts struct {
	Indent int

	rows [][]Cell
}

// Add adds a fact, unless the text is empty.
func (f *Facts) Add(name, text string) { f.AddColored(name, text, Plain) }

// AddColored adds a fact in a color, unless the text is empty.
func (f *Facts) AddColored(name, text string, color Color) {
	if text != "" {
		f.rows = append(f.rows, []Cell{{Text: name}, {Text: Line(text), Color: color}})
	}
}

// Write writes the facts.
func (f *Facts) Write(out io.Writer) error {
	label := 0
	for _, row := range f.rows {
		label = max(label, longest(row[0].Text))
	}
	value := Width(out) - f.Indent - label - gap
	if Width(out) == 0 {
		value = math.MaxInt
	}
	return writeRows(out, f.Indent, f.rows, []int{label, value})
}
