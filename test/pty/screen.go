package pty

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

// Screen is what a person sees of a terminal. It obeys only what our programs
// send: a new sequence is an error until it is added here.
type Screen struct {
	mu        sync.Mutex
	rest      []byte
	lines     [][]rune
	row, at   int
	alternate bool
	hidden    bool // the cursor
	nowrap    bool
	errors    []string
}

// Watch shows what the program prints, until the terminal is closed.
func Watch(t *testing.T, person *os.File) *Screen {
	s := &Screen{}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buffer := make([]byte, 4096)
		for {
			n, err := person.Read(buffer)
			s.write(buffer[:n])
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { person.Close(); <-ended })
	return s
}

// Lines returns the lines without spaces at their ends.
func (s *Screen) Lines() (lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.lines {
		lines = append(lines, strings.TrimRight(string(line), " "))
	}
	return lines
}

// Text returns the lines as one text.
func (s *Screen) Text() string { return strings.Join(s.Lines(), "\n") }

// Taken reports whether a program has the whole terminal: the alternate screen,
// a hidden cursor, or lines that don't wrap.
func (s *Screen) Taken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.alternate || s.hidden || s.nowrap
}

// Errors are the sequences that Screen doesn't know.
func (s *Screen) Errors() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.errors
}

// Await waits until the text is on the screen, for a minute at most.
func (s *Screen) Await(t *testing.T, text string) {
	t.Helper()
	s.AwaitThat(t, strconv.Quote(text), func() bool { return strings.Contains(s.Text(), text) })
}

// AwaitThat waits until a condition holds, for a minute at most.
func (s *Screen) AwaitThat(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s on the screen:\n%s", what, s.Text())
		}
	}
}

func (s *Screen) write(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p = append(s.rest, p...)
	for len(p) > 0 {
		n := s.next(p)
		if n == 0 {
			break
		}
		p = p[n:]
	}
	s.rest = append([]byte(nil), p...)
}

// next obeys what p starts with, and returns its length, or 0 if it isn't all
// there yet.
func (s *Screen) next(p []byte) int {
	switch {
	case p[0] == '\r':
		s.at = 0
	case p[0] == '\n':
		s.row++
	case p[0] == '\x1b':
		end := strings.IndexFunc(string(p), func(r rune) bool { return r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' })
		if end < 0 {
			return 0
		}
		s.obey(string(p[1 : end+1]))
		return end + 1
	case !utf8.FullRune(p):
		return 0
	default:
		r, size := utf8.DecodeRune(p)
		s.put(r)
		return size
	}
	return 1
}

func (s *Screen) put(r rune) {
	for len(s.lines) <= s.row {
		s.lines = append(s.lines, nil)
	}
	for len(s.lines[s.row]) <= s.at {
		s.lines[s.row] = append(s.lines[s.row], ' ')
	}
	s.lines[s.row][s.at] = r
	s.at++
}

func (s *Screen) obey(sequence string) {
	switch sequence {
	case "[H":
		s.row, s.at = 0, 0
	case "[K":
		if s.row < len(s.lines) {
			s.lines[s.row] = s.lines[s.row][:min(s.at, len(s.lines[s.row]))]
		}
	case "[J":
		s.lines = s.lines[:min(s.row+1, len(s.lines))]
	case "[2J":
		s.lines = nil
	case "[?1049h", "[?1049l":
		s.alternate = sequence == "[?1049h"
		s.lines, s.row, s.at = nil, 0, 0
	case "[?25h", "[?25l":
		s.hidden = sequence == "[?25l"
	case "[?7h", "[?7l":
		s.nowrap = sequence == "[?7l"
	default:
		if !strings.HasSuffix(sequence, "m") { // how text looks
			s.errors = append(s.errors, sequence)
		}
	}
}
