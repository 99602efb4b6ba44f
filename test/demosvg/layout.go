package main

import (
	"regexp"
	"strings"
)

// columns is the width of the terminal in the picture.
const columns = 96

// line is a line of the terminal, and when it appears.
type line struct {
	text  string
	class string  // of the style sheet
	at    float64 // seconds from the start
}

// heading is a line with which a step of the demo begins.
var heading = regexp.MustCompile(`^([0-9]+\. |Done\.|Try next:)`)

// layout wraps the lines and times them: a pause before each step, and one
// after each command, as if it ran.
func layout(printed string) (lines []line) {
	at := 0.5
	for text := range strings.SplitSeq(printed, "\n") {
		class := ""
		switch {
		case heading.MatchString(text):
			class = "h"
			at += 1.2
		case strings.HasPrefix(strings.TrimSpace(text), "$ "):
			class = "c"
			at += 0.4
		}
		for _, part := range wrap(text) {
			lines = append(lines, line{part, class, at})
			at += 0.06
		}
		if class == "c" {
			at += 0.8
		}
	}
	return lines
}

// wrap breaks a line after a word, or within one that is longer than a line.
func wrap(text string) (parts []string) {
	indent := "    "
	runes := []rune(text)
	for len(runes) > columns {
		at := columns
		for i := columns; i > columns/2; i-- {
			if runes[i] == ' ' {
				at = i
				break
			}
		}
		parts = append(parts, string(runes[:at]))
		runes = []rune(indent + strings.TrimLeft(string(runes[at:]), " "))
	}
	return append(parts, string(runes))
}

// homely replaces the directory of the demo: where it was recorded says nothing
// to readers.
func homely(printed, dir string) string { return strings.ReplaceAll(printed, dir, "~/assertd") }
