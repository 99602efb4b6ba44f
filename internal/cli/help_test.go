package cli

import (
	"strings"
	"testing"
)

func TestWrap(t *testing.T) {
	long := strings.Repeat("word ", 20)
	for _, row := range []struct{ text, want string }{
		{"short", "short"},
		{"two\nlines", "two lines"},
		{long, strings.TrimSpace(strings.Repeat("word ", 16)) + "\n" + strings.TrimSpace(strings.Repeat("word ", 4))},
		{"first\n\nsecond", "first\n\nsecond"},
		{"code:\n\n  a  b\n  c\nend", "code:\n\n  a  b\n  c\nend"},
		{strings.Repeat("x", 100), strings.Repeat("x", 100)},
	} {
		if got := wrap(row.text); got != row.want {
			t.Errorf("%q: got %q, want %q", row.text, got, row.want)
		}
	}
}
