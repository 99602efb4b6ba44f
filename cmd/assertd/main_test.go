package main

import (
	"io"
	"strings"
	"testing"
)

// A mistyped command must not look like success to a script.
func TestUnknownCommandsAreRefused(t *testing.T) {
	for _, args := range [][]string{{"serv"}, {"key", "generat"}, {"policy", "tset"}, {"audit", "verfy"}, {"--no-such-flag"}} {
		var complaint strings.Builder
		code := run(t.Context(), args, strings.NewReader(""), io.Discard, &complaint)
		if code != exitUsage || !strings.Contains(complaint.String(), "; did you mean assertd ") && !strings.Contains(complaint.String(), "--help") {
			t.Errorf("assertd %q: exit code %d, %s", args, code, &complaint)
		}
	}
	for _, args := range [][]string{nil, {"key"}, {"help"}} {
		var shown strings.Builder
		if code := run(t.Context(), args, strings.NewReader(""), &shown, io.Discard); code != 0 || !strings.Contains(shown.String(), "Commands:") {
			t.Errorf("assertd %q: exit code %d, %s", args, code, &shown)
		}
	}
}
