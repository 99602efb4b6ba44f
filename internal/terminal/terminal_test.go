package terminal

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	for _, test := range []struct{ given, want string }{
		{"plain, ünïcödé, 漢字, a\ttab\n", "plain, ünïcödé, 漢字, a\ttab\n"},
		{"\x1b[2J\x1b]0;title\x07", `\x1b[2J\x1b]0;title\x07`},
		{"a\rb\x00\x7f", `a\x0db\x00\u007f`},
		{"\u009b31m", `\u009b31m`}, // CSI in one character
		{"\x9b31m", `\x9b31m`},     // and in one byte
		{"\u202eevil\u2066\u200f\u061c", `\u202eevil\u2066\u200f\u061c`},
		{"a\u2028b\u2029\ufeff", `a\u2028b\u2029\ufeff`},
		{"\U000e0041", `\U000e0041`},
		{"cut \xe2\x82", `cut \xe2\x82`},
		{"\ufffd", "\ufffd"},
	} {
		if got := Text(test.given); got != test.want {
			t.Errorf("%q: got %s, want %s", test.given, got, test.want)
		}
	}
	if got := Line("a\n\tb\x1b"); got != `a\n\tb\x1b` {
		t.Error(got)
	}
}

func TestWriterKeepsCharactersTogether(t *testing.T) {
	for size := range 7 {
		var out bytes.Buffer
		w := NewWriter(&out)
		for part := range strings.Lines(strings.Join(strings.SplitAfter("§€𝄞\x1b\u202e", ""), "\n")) {
			text := []byte(strings.TrimSuffix(part, "\n"))
			cut := min(size, len(text))
			for _, p := range [][]byte{text[:cut], text[cut:]} {
				if n, err := w.Write(p); n != len(p) || err != nil {
					t.Fatal(n, err)
				}
			}
		}
		if got := out.String(); got != `§€𝄞\x1b\u202e` {
			t.Errorf("in parts of %d: %s", size, got)
		}
	}
	var out bytes.Buffer
	w := NewWriter(&out)
	_, _ = w.Write([]byte("end\xe2\x82"))
	if err := w.Flush(); err != nil || out.String() != `end\xe2\x82` {
		t.Error(out.String(), err)
	}
}

// Programs read what was sent. A terminal is not in this test.
func TestDataAndControl(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out)
	_, _ = io.WriteString(Data(w), "\x00\x1b")
	if err := Control(w, "\x1b[K"); err != nil || out.String() != "\x00\x1b\x1b[K" {
		t.Errorf("%q %v", out.String(), err)
	}
}

func TestWithoutAssertions(t *testing.T) {
	const jws = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl"
	for _, test := range []struct{ given, want string }{
		{"bad assertion " + jws + "!", "bad assertion [assertion removed]!"},
		{"client_assertion=" + jws + "&x=1", "client_assertion=[assertion removed]&x=1"},
		{"client_assertion=" + strings.ReplaceAll(jws, ".", "%2E") + "&x=1", "client_assertion=[assertion removed]&x=1"},
		{"cut off " + jws[:30], "cut off [assertion removed]"},
		{"encrypted eyJhbGciOiJFUzI1NiJ9..iv.text.tag", "encrypted [assertion removed]"},
		{"ewogImFsZyI6ICJFUzI1NiIgfQ.e30.c2ln", "[assertion removed]"},
		{"the eyes. have it", "the eyes. have it"},
		{"https://eyeglasses.example.com and ewokvillage.example.com", "https://eyeglasses.example.com and ewokvillage.example.com"},
		{"https://as.example/token", "https://as.example/token"},
	} {
		if got := WithoutAssertions(test.given); got != test.want {
			t.Errorf("%s: got %s, want %s", test.given, got, test.want)
		}
	}
	if got := Without("token opaque-value of x", "opaque-value", "x", ""); got != "token [secret removed] of x" {
		t.Error(got)
	}
}

// FuzzText checks that nothing gets through in one piece or in two.
func FuzzText(f *testing.F) {
	f.Add([]byte("\x1b[2J"), 1)
	f.Add([]byte("\u202e\x9b\xe2\x82"), 2)
	f.Add([]byte("eyJhbGciOiJFUzI1NiJ9.e30.c2ln\r\n"), 9)
	f.Fuzz(func(t *testing.T, given []byte, at int) {
		text := Text(string(given))
		if !utf8.ValidString(text) {
			t.Fatalf("%q is not UTF-8", text)
		}
		for _, r := range text {
			if !unicode.IsGraphic(r) && r != '\n' && r != '\t' {
				t.Fatalf("%q contains %U", text, r)
			}
		}
		var out bytes.Buffer
		w := NewWriter(&out)
		cut := max(0, min(at, len(given)))
		_, _ = w.Write(given[:cut])
		_, _ = w.Write(given[cut:])
		if err := w.Flush(); err != nil || out.String() != text {
			t.Fatalf("in parts %q, at once %q", out.String(), text)
		}
	})
}
