package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/assertd/assertd/internal/terminal"
)

// What a terminal obeys: the alternate screen, without a cursor and without
// wrapping lines, and back.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
	leaveScreen = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
)

// screen is the whole terminal. A library for full-screen programs would add a
// seventh to assertctl and a dozen modules, for one page and ten keys.
type screen struct {
	keyboard, display *os.File
	before            *term.State // of the keyboard, while the screen is ours
}

// enter takes the terminal. It may be called again after another program used
// it.
func (s *screen) enter() error {
	if s.before == nil {
		before, err := term.MakeRaw(int(s.keyboard.Fd()))
		if err != nil {
			return err
		}
		s.before = before
	} else if _, err := term.MakeRaw(int(s.keyboard.Fd())); err != nil {
		return err
	}
	if err := terminal.Control(s.display, enterScreen); err != nil {
		return errors.Join(err, s.leave())
	}
	return nil
}

// leave gives the terminal back as it was. A second call does nothing.
func (s *screen) leave() error {
	if s.before == nil {
		return nil
	}
	err := terminal.Control(s.display, leaveScreen)
	err = errors.Join(err, term.Restore(int(s.keyboard.Fd()), s.before))
	s.before = nil
	return err
}

// suspend gives the terminal back to the shell until it continues this program,
// with SIGCONT. If nobody can continue it, the kernel does not stop it. The
// next show takes the terminal back.
func (s *screen) suspend() error {
	if err := s.leave(); err != nil {
		return err
	}
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, syscall.SIGCONT)
	defer signal.Stop(continued)
	if err := syscall.Kill(0, syscall.SIGTSTP); err != nil {
		return err
	}
	select {
	case <-continued:
	case <-time.After(time.Second):
	}
	return nil
}

// show draws a page in a single write, so that the terminal does not flicker.
func (s *screen) show(v *topView) error {
	if s.before == nil {
		if err := s.enter(); err != nil {
			return err
		}
	}
	width, height, err := term.GetSize(int(s.display.Fd()))
	if err != nil {
		return err
	}
	if width <= 0 || height <= 0 { // a terminal that doesn't know its size
		width, height = 80, 24
	}
	var page strings.Builder
	page.WriteString("\x1b[H")
	for i, line := range v.page(width, height) {
		if i > 0 {
			page.WriteString("\r\n")
		}
		line.write(&page)
	}
	page.WriteString("\x1b[J")
	return terminal.Control(s.display, page.String())
}

// style is how a line looks.
type style string

const (
	plain   style = ""
	heading style = "1"
	footing style = "7"
	good    style = "32"
	warning style = "33"
	bad     style = "1;31"
)

// styled is a line without control characters.
type styled struct {
	text  string
	style style
}

func styledAll(texts []string, look style) (lines []styled) {
	for _, text := range texts {
		lines = append(lines, styled{text, look})
	}
	return lines
}

// fold breaks a line that is wider than the terminal.
func fold(text string, width int, look style) []styled {
	return styledAll(terminal.Fold(text, width), look)
}

// pad makes a text at least so wide, and cut at most.
func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}

func cut(text string, width int) string {
	if runes := []rune(text); len(runes) > width {
		return string(runes[:width])
	}
	return text
}

func (l styled) write(page *strings.Builder) {
	look := l.style
	if os.Getenv("NO_COLOR") != "" && (look == good || look == warning || look == bad) {
		look = heading
	}
	if look == plain {
		page.WriteString(l.text + "\x1b[K")
		return
	}
	page.WriteString("\x1b[" + string(look) + "m" + l.text + "\x1b[0m\x1b[K")
}

// key is a key that does something.
type key int

const (
	keyQuit key = iota
	keySort
	keyPause
	keyHelp
	keySuspend
	keyUp
	keyDown
	keyPageUp
	keyPageDown
	keyHome
	keyEnd
	keyOther
)

// sequences are what terminals send for keys. No sequence is the start of a
// later one.
var sequences = []struct {
	text string
	key  key
}{
	{"\x1b[A", keyUp}, {"\x1bOA", keyUp}, {"k", keyUp},
	{"\x1b[B", keyDown}, {"\x1bOB", keyDown}, {"j", keyDown},
	{"\x1b[5~", keyPageUp}, {"\x02", keyPageUp}, {"\x1b[6~", keyPageDown}, {"\x06", keyPageDown},
	{"\x1b[H", keyHome}, {"\x1bOH", keyHome}, {"\x1b[1~", keyHome}, {"g", keyHome},
	{"\x1b[F", keyEnd}, {"\x1bOF", keyEnd}, {"\x1b[4~", keyEnd}, {"G", keyEnd},
	{"q", keyQuit}, {"Q", keyQuit}, {"\x03", keyQuit}, {"\x1a", keySuspend},
	{"s", keySort}, {" ", keyPause}, {"p", keyPause}, {"?", keyHelp}, {"h", keyHelp},
}

// pressed splits what was read into keys. What it doesn't know is one other
// key.
func pressed(typed []byte) (keys []key) {
next:
	for len(typed) > 0 {
		for _, s := range sequences {
			if bytes.HasPrefix(typed, []byte(s.text)) {
				keys, typed = append(keys, s.key), typed[len(s.text):]
				continue next
			}
		}
		if typed[0] == '\x1b' { // a sequence that does nothing
			return append(keys, keyOther)
		}
		keys, typed = append(keys, keyOther), typed[1:]
	}
	return keys
}

// read passes on the keys until ctx ends, and closes the channel if the
// terminal is gone.
func (s *screen) read(ctx context.Context, keys chan<- key) {
	defer close(keys)
	buffer := make([]byte, 256)
	for ctx.Err() == nil {
		// A read can't be interrupted, so this looks first.
		ready := []unix.PollFd{{Fd: int32(s.keyboard.Fd()), Events: unix.POLLIN}}
		n, err := unix.Poll(ready, 50)
		if n == 0 || errors.Is(err, unix.EINTR) {
			continue
		}
		if n, err = s.keyboard.Read(buffer); err != nil {
			return
		}
		for _, k := range pressed(buffer[:n]) {
			select {
			case keys <- k:
			case <-ctx.Done():
				return
			}
		}
	}
}
