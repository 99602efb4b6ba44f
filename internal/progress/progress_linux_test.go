package progress

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/terminal"
	"github.com/assertd/assertd/test/pty"
)

// TestPipeGetsNothing: a progress bar in a log file is noise.
func TestPipeGetsNothing(t *testing.T) {
	var out bytes.Buffer
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, line := range []*Line{Show(t.Context(), &out, Task{Name: "x"}), Show(t.Context(), w, Task{Name: "x"})} {
		if line.file != nil {
			t.Error("takes a pipe for a terminal")
		}
		line.Set(1, 2)
		line.Stop()
		line.Stop()
	}
	w.Close()
	if n, _ := r.Read(make([]byte, 1)); n > 0 || out.Len() > 0 {
		t.Errorf("wrote %d and %d bytes", n, out.Len())
	}
}

func TestTerminalShowsLineUntilStop(t *testing.T) {
	person, program := pty.Open(t, 60, 24)
	ctx, cancel := context.WithCancel(t.Context())
	line := Show(ctx, terminal.NewWriter(program), Task{Name: "verifying\x1b[2J", Unit: Bytes, Interrupted: "ending"})
	line.Set(1<<20, 2<<20)
	shown := await(t, person, "left")
	if !strings.Contains(shown, `verifying\x1b[2J`) || !strings.Contains(shown, "50%") {
		t.Errorf("shows %q", shown)
	}
	cancel()
	line.Set(0, 0)
	await(t, person, "ending")
	line.Stop()
	line.Stop()
	if _, err := program.WriteString("after"); err != nil {
		t.Fatal(err)
	}
	if shown := await(t, person, "after"); !strings.HasSuffix(shown, eraseLine+"after") {
		t.Errorf("not erased: %q", shown)
	}
}

// await reads until a text appears.
func await(t *testing.T, person *os.File, text string) (seen string) {
	t.Helper()
	if err := person.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 4096)
	for !strings.Contains(seen, text) {
		n, err := person.Read(buffer)
		if err != nil {
			t.Fatalf("no %q in %q: %v", text, seen, err)
		}
		seen += string(buffer[:n])
	}
	return seen
}
