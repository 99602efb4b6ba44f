package hsm

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/test/pty"
)

// see reads from the terminal until text appears.
func see(t *testing.T, person *os.File, text string) (seen string) {
	t.Helper()
	if err := person.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 100)
	for !strings.Contains(seen, text) {
		n, err := person.Read(buffer)
		if err != nil {
			t.Fatalf("waiting for %q on the terminal, %q came: %v", text, seen, err)
		}
		seen += string(buffer[:n])
	}
	return seen
}

func TestPromptHidesWhatIsTyped(t *testing.T) {
	for name, test := range map[string]struct{ typed, want, says string }{
		"a PIN":         {"1234\r", "1234", ""},
		"a slip":        {"129\x7f34\r", "1234", ""},
		"start again":   {"wrong\x151234\r", "1234", ""},
		"past the left": {"\x7f\x7f1234\r", "1234", ""},
		"end of input":  {"1234\x04", "1234", ""},
		"interrupted":   {"12\x03", "", "interrupted"},
	} {
		t.Run(name, func(t *testing.T) {
			person, program := pty.Open(t, 0, 0)
			type answer struct {
				line []byte
				err  error
			}
			answers := make(chan answer, 1)
			go func() {
				line, err := prompt(context.Background(), program, "PIN? ")
				answers <- answer{line, err}
			}()
			see(t, person, "PIN? ")
			if _, err := io.WriteString(person, test.typed); err != nil {
				t.Fatal(err)
			}
			got := <-answers
			if string(got.line) != test.want || (got.err == nil) != (test.says == "") ||
				got.err != nil && !strings.Contains(got.err.Error(), test.says) {
				t.Errorf("got %q (%v), want %q", got.line, got.err, test.want)
			}
			if seen := see(t, person, "\n"); strings.ContainsAny(seen, "1234") {
				t.Errorf("the terminal showed %q", seen)
			}
		})
	}
}

func TestPromptEndsWithItsContext(t *testing.T) {
	person, program := pty.Open(t, 0, 0)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := prompt(ctx, program, "PIN? ")
		done <- err
	}()
	see(t, person, "PIN? ")
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("the prompt ended with %v", err)
	}
	// Echo is back: typed text appears.
	if _, err := io.WriteString(person, "visible\n"); err != nil {
		t.Fatal(err)
	}
	see(t, person, "visible")
}

func TestPromptNeedsATerminal(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if line, err := prompt(t.Context(), file, "PIN? "); err == nil {
		t.Errorf("a file was taken for a terminal and gave %q", line)
	}
}
