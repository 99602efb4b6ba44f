package config

import (
	"fmt"
	"regexp"
	"sort"
	"strings"
	"unicode"
)

// hiddenText stands where the file has, or could have, a secret.
const hiddenText = "[hidden]"

// looksSecret finds a secret's key in text that could not be read as YAML
// should be: a second net, under secretRegions.
var looksSecret = regexp.MustCompile(`(?i)(pin|passw\w*|passphrase|secret)["']?\s*:`)

// secretKey reports whether values under a key of this name are hidden.
func secretKey(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"passw", "passphrase", "secret", "environment"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return strings.HasPrefix(name, "pin") || strings.HasSuffix(name, "pin")
}

// region is a part of the file, from its first place up to, not including, its
// last.
type region struct{ from, to place }

// secretRegions lists the parts of the file that hold values of secret nodes.
// A region ends where the next node begins, so that it covers quotes, comments
// and every line of a long value.
func secretRegions(root *node) []region {
	var regions []region
	open := false
	root.walk(func(at place, secret bool) {
		switch {
		case secret && !open:
			regions = append(regions, region{from: at, to: place{line: int(^uint(0) >> 1)}})
		case !secret && open:
			regions[len(regions)-1].to = at
		}
		open = secret
	})
	return regions
}

// excerpt shows a line of the file with a caret under a place of it. It is
// empty where the place itself is hidden.
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

// mask replaces what is hidden in a line. It returns the line and where the
// place is in it now, -1 if it is hidden itself.
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
	// The second net: a key that the tree doesn't know as one.
	if m := looksSecret.FindStringIndex(string(shown)); m != nil {
		cut := len([]rune(string(shown)[:m[1]]))
		if caret > cut {
			return nil, -1
		}
		shown = append(shown[:cut:cut], []rune(" "+hiddenText)...)
	}
	return shown, caret
}

// indentation is how many characters come before the first that could belong to
// a value.
func indentation(line []rune) int {
	for i, r := range line {
		if r != ' ' && r != '-' {
			return i
		}
	}
	return 0
}

// regionOf returns which region a place is in, -1 for none. The regions are in
// the order of the file and do not overlap.
func regionOf(p place, hidden []region) int {
	i := sort.Search(len(hidden), func(i int) bool { return p.before(hidden[i].to) })
	if i < len(hidden) && !p.before(hidden[i].from) {
		return i
	}
	return -1
}

// printable keeps what could move the cursor or turn the text round off the
// terminal.
func printable(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case !unicode.IsPrint(r):
		return '·'
	}
	return r
}

// window cuts a long line down to what is around the caret.
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
