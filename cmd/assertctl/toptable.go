package main

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/assertd/assertd/internal/terminal"
)

// table is a table that fits every width and loses nothing. If a row is too
// wide, its names go on a line of their own. Its last column wraps.
type table struct {
	head  []string
	names int // the columns with names, which come first
	rows  [][]string
}

// narrowest is the least width that a last column wraps to.
const narrowest = 10

const gap = "  "

func (t *table) add(cells ...string) {
	for i, cell := range cells {
		cells[i] = terminal.Line(cell)
	}
	t.rows = append(t.rows, cells)
}

func (t *table) lines(width int) []styled {
	widths := t.widths()
	if fits(widths, width) {
		return t.render(width, func(cells []string) []string { return row(cells, widths, width, "") })
	}
	values := widths[t.names:]
	return t.render(width, func(cells []string) []string {
		return append([]string{strings.Join(cells[:t.names], gap)}, row(cells[t.names:], values, width, gap)...)
	})
}

// render makes lines of all rows. What is too wide even then is folded.
func (t *table) render(width int, layout func(cells []string) []string) (lines []styled) {
	for _, line := range layout(t.head) {
		lines = append(lines, fold(line, width, heading)...)
	}
	for _, cells := range t.rows {
		for _, line := range layout(cells) {
			lines = append(lines, fold(line, width, plain)...)
		}
	}
	return lines
}

// widths are those of the widest cells.
func (t *table) widths() []int {
	widths := make([]int, len(t.head))
	for _, cells := range slices.Concat([][]string{t.head}, t.rows) {
		for i, cell := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	return widths
}

// before is the width of all columns but the last.
func before(widths []int) (sum int) {
	for _, w := range widths[:len(widths)-1] {
		sum += w + len(gap)
	}
	return sum
}

func fits(widths []int, width int) bool {
	return before(widths)+min(widths[len(widths)-1], narrowest) <= width
}

// row makes the lines of one row. Only the last cell can need more than one.
func row(cells []string, widths []int, width int, indent string) (lines []string) {
	last := len(cells) - 1
	var b strings.Builder
	b.WriteString(indent)
	for i, cell := range cells[:last] {
		b.WriteString(pad(cell, widths[i]) + gap)
	}
	start := b.String()
	for _, part := range fold(cells[last], max(width-len(indent)-before(widths), narrowest), plain) {
		lines = append(lines, strings.TrimRight(start+part.text, " "))
		start = strings.Repeat(" ", len(indent)+before(widths))
	}
	return lines
}

// pad makes a text exactly as wide as a column that is not narrower.
func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}

func cut(text string, width int) string {
	if runes := []rune(text); len(runes) > width {
		return string(runes[:width])
	}
	return text
}

// fold breaks a line between words, or within one that is wider than the
// terminal. The next lines start two columns deeper than the first.
func fold(text string, width int, look style) (lines []styled) {
	width = max(width, 1)
	runes := []rune(text)
	deeper := len(runes) - len([]rune(strings.TrimLeft(text, " "))) + len(gap)
	if deeper > width/2 {
		deeper = 0
	}
	for len(runes) > width {
		at := width
		for i := width; i > deeper; i-- {
			if runes[i] == ' ' && strings.TrimSpace(string(runes[:i])) != "" {
				at = i
				break
			}
		}
		lines = append(lines, styled{strings.TrimRight(string(runes[:at]), " "), look})
		rest := strings.TrimLeft(string(runes[at:]), " ")
		if rest == "" {
			return lines
		}
		runes = []rune(strings.Repeat(" ", deeper) + rest)
	}
	return append(lines, styled{string(runes), look})
}
