package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/assertd/assertd/test/pty"
)

// TestDataOnATerminal: what programs get unchanged, a terminal does not obey.
func TestDataOnATerminal(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_, _ = io.WriteString(w, `{"access_token": "opaque", "token_type": "Bearer", "note": "`+"\u009b2J\u202e"+`"}`)
			return
		}
		_, _ = io.WriteString(w, obeyed)
	}))
	defer api.Close()
	for _, test := range []struct {
		args          []string
		piped, onTerm string
	}{
		{[]string{"call", "--url", api.URL, api.URL}, obeyed, `\x1b[2J\u009b2J\x9b2J\u202e\x0d\x07`},
		{[]string{"token", "--url", api.URL}, "\u009b2J\u202e", `\u009b2J\u202e`},
	} {
		args := append(test.args, "--socket", assertingDaemon(t))
		if _, stdout, stderr := tool(t, args...); !strings.Contains(stdout, test.piped) {
			t.Errorf("%s: a program gets %q, %s", test.args[0], stdout, stderr)
		}
		shown := onTerminal(t, args...)
		if harmless(t, test.args[0], shown); !strings.Contains(shown, test.onTerm) {
			t.Errorf("%s: a terminal shows %q", test.args[0], shown)
		}
	}
}

// onTerminal runs assertctl on a terminal and returns what it shows.
func onTerminal(t *testing.T, args ...string) string {
	t.Helper()
	person, terminal := pty.Open(t, 0, 0)
	var shown bytes.Buffer
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(&shown, person) // ends with EIO
	}()
	code := run(t.Context(), args, strings.NewReader(""), terminal, terminal)
	terminal.Close()
	<-read
	if code != 0 {
		t.Errorf("%v: exit code %d: %s", args, code, shown.String())
	}
	return shown.String()
}
