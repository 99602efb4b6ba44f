package terminal

import "strings"

// narrowest is the least width that the last column of Lines is broken to.
const narrowest = 10

// Lines lays the table out for a screen that is drawn again and again. Columns
// must not jump there, so only the last one is broken between words. Where that
// doesn't do, the first columns, which are the names of a row, go on a line of
// their own. Words that are wider than the screen are broken: nothing is lost.
func (t *Table) Lines(width, names int) (head, rows []string) {
	shown := t.short()
	widths := shown.widths(longest)
	last := len(widths) - 1
	if need := span(widths[:last]) + min(widths[last], narrowest); need <= width {
		names = 0
	}
	for _, row := range shown.rows {
		rows = append(rows, layOut(row, widths, width, names)...)
	}
	return layOut(shown.head, widths, width, names), rows
}

// span is the width of columns, with the gap after each.
func span(widths []int) (sum int) {
	for _, w := range widths {
		sum += w + gap
	}
	return sum
}

// layOut makes the lines of a row whose first cells have their own.
func layOut(row []Cell, widths []int, width, names int) (lines []string) {
	indent := 0
	if names > 0 {
		var texts []string
		for _, cell := range row[:names] {
			texts = append(texts, cell.Text)
		}
		lines, indent = Fold(strings.Join(texts, strings.Repeat(" ", gap)), width), gap
	}
	last := len(row) - 1
	columns := append([]int(nil), widths[names:last]...)
	columns = append(columns, min(widths[last], max(width-indent-span(columns), narrowest)))
	var text strings.Builder
	_ = writeRows(&text, indent, [][]Cell{row[names:]}, columns) // a builder can't fail
	for line := range strings.Lines(text.String()) {
		lines = append(lines, Fold(strings.TrimSuffix(line, "\n"), width)...)
	}
	return lines
}

// Fold breaks a line between words, or within one that is wider than the width.
// The next lines start two columns deeper than the first.
func Fold(text string, width int) (lines []string) {
	width = max(width, 1)
	runes := []rune(text)
	deeper := len(runes) - len([]rune(strings.TrimLeft(text, " "))) + gap
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
		lines = append(lines, strings.TrimRight(string(runes[:at]), " "))
		rest := strings.TrimLeft(string(runes[at:]), " ")
		if rest == "" {
			return lines
		}
		runes = []rune(strings.Repeat(" ", deeper) + rest)
	}
	return append(lines, string(runes))
}
