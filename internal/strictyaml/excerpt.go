package strictyaml

import (
	"fmt"
	"sort"
	"strings"
	"unicode"
)

// excerpt shows a line of the file with a caret under a place in it. It is
// empty if the place itself is hidden.
func excerpt(lines []string, at place, hidden []region) string {
	if at.line < 1 || at.line > len(lines) {
		return ""
	}
	line := []rune(strings.TrimRight(lines[at.line-1], "\r"))
	if at.column < 1 || at.column > len(line)+1 {
		return ""
	}
	shown, caret := mask(line, at, hidden)
	if caret < 0 {
		return ""
	}
	return window(shown, caret)
}

// mask replaces the hidden parts of a line. It returns the line and the index
// of the place in it, or -1 if the place is hidden.
func mask(line []rune, at place, hidden []region) (shown []rune, caret int) {
	caret = -1
	last := -1 // the region that the previous character was in
	indent := indentation(line)
	for i, r := range line {
		in := regionOf(place{at.line, i + 1}, hidden)
		if i < indent {
			in = -1
		}
		if in >= 0 && in != last {
			shown = append(shown, []rune(hiddenText+" ")...)
		}
		if in < 0 {
			if i+1 == at.column {
				caret = len(shown)
			}
			shown = append(shown, printable(r))
		}
		last = in
	}
	if at.column == len(line)+1 {
		caret = len(shown)
	}
	// The second net: a key that the tree doesn't have as one.
	if m := secretKey.FindStringIndex(string(shown)); m != nil {
		cut := len([]rune(string(shown)[:m[1]]))
		if caret > cut {
			return nil, -1
		}
		shown = append(shown[:cut:cut], []rune(" "+hiddenText)...)
	}
	return shown, caret
}

// indentation returns the number of characters before the first one that could
// be part of a value.
func indentation(line []rune) int {
	for i, r := range line {
		if r != ' ' && r != '-' {
			return i
		}
	}
	return 0
}

// regionOf returns the index of the region that a place is in, or -1. The
// regions are in file order and don't overlap.
func regionOf(p place, hidden []region) int {
	i := sort.Search(len(hidden), func(i int) bool { return p.before(hidden[i].to) })
	if i < len(hidden) && !p.before(hidden[i].from) {
		return i
	}
	return -1
}

// printable replaces characters that could move the terminal's cursor or
// reverse the text.
func printable(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case !unicode.IsPrint(r):
		return '·'
	}
	return r
}

// window cuts a long line down to the part around the caret.
func window(line []rune, caret int) string {
	const width, before = 110, 70
	start := max(0, caret-before)
	end := min(len(line), start+width)
	head, tail := "", ""
	if start > 0 {
		head = "…"
	}
	if end < len(line) {
		tail = "…"
	}
	indent := strings.Repeat(" ", caret-start+len([]rune(head)))
	return fmt.Sprintf("    %s%s%s\n    %s^", head, string(line[start:end]), tail, indent)
}
