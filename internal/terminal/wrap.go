package terminal

import (
	"bytes"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// NewText makes a [Writer] for text that people read. On a terminal it breaks
// long lines between words, and indents the rest of a line like its start.
// Elsewhere lines stay whole, for programs such as grep.
func NewText(out io.Writer) *Writer { return &Writer{out: out, wraps: true} }

// Width returns the number of columns of the terminal that out prints to, or 0
// if that is something else or has no known width.
func Width(out io.Writer) int {
	file, ok := File(out)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// Wrap breaks the lines of a text between words, at a width in columns, and
// indents the rest of a line like its start. A longer word stays whole.
func Wrap(text string, width int) string {
	return string(new(line).fill([]byte(text), width))
}

// line is the position in a line that may come in parts.
type line struct {
	column int // where the next character goes
	indent int // leading spaces of the line
	begun  bool
}

// fill returns p with line breaks between words, for a terminal of a width in
// columns, or as it is for 0.
func (l *line) fill(p []byte, width int) []byte {
	if width == 0 {
		return p
	}
	var b bytes.Buffer
	for len(p) > 0 {
		n := bytes.IndexFunc(p, func(r rune) bool { return r != ' ' })
		if n < 0 {
			n = len(p)
		}
		spaces, rest := p[:n], p[n:]
		n = bytes.IndexFunc(rest, unicode.IsSpace)
		if n < 0 {
			n = len(rest)
		}
		l.put(&b, spaces, rest[:n], width)
		if p = rest[n:]; len(p) > 0 && p[0] != ' ' {
			l.other(&b, p[0])
			p = p[1:]
		}
	}
	return b.Bytes()
}

// put writes a word after spaces, or in place of the spaces on a new line.
func (l *line) put(b *bytes.Buffer, spaces, word []byte, width int) {
	size := utf8.RuneCount(word)
	if !l.begun {
		l.indent += len(spaces)
	}
	fits := l.column+len(spaces)+size <= width || l.indent+size > width && l.column == l.indent
	switch {
	case !l.begun || size == 0 || fits:
		b.Write(spaces)
		l.column += len(spaces) + size
	default:
		b.WriteByte('\n')
		b.WriteString(strings.Repeat(" ", l.indent))
		l.column = l.indent + size
	}
	l.begun = l.begun || size > 0
	b.Write(word)
}

// other writes a line break, a tab, or another kind of space.
func (l *line) other(b *bytes.Buffer, c byte) {
	b.WriteByte(c)
	switch c {
	case '\n':
		*l = line{}
	case '\t':
		l.column += 8 - l.column%8
	}
}
