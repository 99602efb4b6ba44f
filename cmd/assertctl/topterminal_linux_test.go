package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/test/pty"
)

// TestTopObeysNothing: a daemon, or another program on its socket, can't make
// the terminal do anything.
func TestTopObeysNothing(t *testing.T) {
	status := busy()
	status.Version = obeyed
	status.Tokens[0].Name, status.Tokens[0].Workers[0].Error = obeyed, obeyed
	status.Clients[0].Name, status.Clients[0].Grants[0].Name, status.Clients[0].Refusals[0].Code = obeyed, obeyed, ipc.Code(obeyed)
	status.Keys[0].Name, status.Keys[0].Signing = obeyed, obeyed
	socket := hostileDaemon(t, http.StatusOK, status)
	for _, line := range newTopView(status, started).page(80, 1000) {
		if strings.ContainsAny(line.text, "\x1b\a\r\n\t\u009b\u202e") {
			t.Errorf("%q", line.text)
		}
	}
	person, program := pty.Open(t, 80, 200)
	screen := pty.Watch(t, person)
	ended := make(chan int)
	go func() { ended <- run(t.Context(), []string{"top", "--operator", socket}, program, program, program) }()
	screen.Await(t, "q quit")
	if !strings.Contains(screen.Text(), `\x1b[2J`) || len(screen.Errors()) > 0 {
		t.Errorf("unknown sequences %q\n%s", screen.Errors(), screen.Text())
	}
	if _, err := person.WriteString("q"); err != nil {
		t.Fatal(err)
	}
	if code := <-ended; code != 0 {
		t.Errorf("exit code %d", code)
	}
	screen.AwaitThat(t, "screen given back", func() bool { return !screen.Taken() })
}
