// Package terminal is the one place through which our programs print. Much of
// it was written by others: servers, daemons, tokens, certificates. Whatever
// they put into it, a terminal shows text and obeys nothing.
//
// What a terminal would obey, or would show as something else, appears as an
// escape sequence of Go's and JSON's: control characters of ASCII as \x1b,
// those of Unicode, and those that change the direction of text, as \u202e, and
// bytes that are not UTF-8 as \xff. Line breaks and tabs stay.
package terminal

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// Text makes a text harmless. It may have several lines.
func Text(s string) string {
	var b strings.Builder
	escape(&b, []byte(s), true)
	return b.String()
}

// Line is Text for a text that must stay on its line.
func Line(s string) string {
	return strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(Text(s))
}

// escape writes p. Unless p is the end of the text, it leaves out a character
// that p has only the start of, and returns that.
func escape(b interface {
	io.ByteWriter
	io.Writer
}, p []byte, final bool) []byte {
	for len(p) > 0 {
		r, size := utf8.DecodeRune(p)
		switch {
		case r == utf8.RuneError && size == 1 && !final && !utf8.FullRune(p):
			return p
		case r == utf8.RuneError && size == 1, r < ' ' && r != '\n' && r != '\t':
			fmt.Fprintf(b, `\x%02x`, p[0])
		case r == '\n', r == '\t', unicode.IsGraphic(r):
			_, _ = b.Write(p[:size]) // these writers don't fail
		case r > 0xffff:
			fmt.Fprintf(b, `\U%08x`, r)
		default:
			fmt.Fprintf(b, `\u%04x`, r)
		}
		p = p[size:]
	}
	return nil
}

// Writer makes what is written to it harmless. Make it with [NewWriter] or
// [NewText].
type Writer struct {
	out   io.Writer
	wraps bool

	mu   sync.Mutex
	rest []byte // the start of a character
	line line
}

// NewWriter makes a writer in front of out.
func NewWriter(out io.Writer) *Writer { return &Writer{out: out} }

// Write escapes p and writes it. It keeps the start of a character for the next
// call.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b bytes.Buffer
	w.rest = bytes.Clone(escape(&b, append(w.rest, p...), false))
	if _, err := w.out.Write(w.fit(b.Bytes())); err != nil {
		return 0, err
	}
	return len(p), nil
}

// fit breaks long lines, if this writer does.
func (w *Writer) fit(p []byte) []byte {
	if !w.wraps {
		return p
	}
	return w.line.fill(p, Width(w.out))
}

// Flush writes the start of a character of which the rest never came.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b bytes.Buffer
	escape(&b, w.rest, true)
	w.rest = nil
	_, err := w.out.Write(b.Bytes())
	return err
}

// behind returns what is behind a Writer.
func behind(out io.Writer) io.Writer {
	if w, ok := out.(*Writer); ok {
		return w.out
	}
	return out
}

// File returns the terminal that out prints to, or false if that is something
// else.
func File(out io.Writer) (*os.File, bool) {
	file, ok := behind(out).(*os.File)
	return file, ok && term.IsTerminal(int(file.Fd()))
}

// Data returns a writer for what programs read: it leaves everything as it is,
// and its lines whole, but makes it harmless if out is a terminal.
func Data(out io.Writer) io.Writer {
	if file, ok := File(out); ok {
		return NewWriter(file)
	}
	return behind(out)
}

// Control writes a sequence of our own that a terminal obeys, such as the one
// that clears a line. It must contain nothing that others wrote.
func Control(out io.Writer, sequence string) error {
	if w, ok := out.(*Writer); ok && strings.HasPrefix(sequence, "\r") {
		w.mu.Lock()
		w.line = line{}
		w.mu.Unlock()
	}
	_, err := io.WriteString(behind(out), sequence)
	return err
}
