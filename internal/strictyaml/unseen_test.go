package strictyaml

import (
	"strings"
	"testing"
)

// TestUnseen: a reader sees what a file means. All characters are written as
// escape sequences of Go here, and so are raw in the file.
func TestUnseen(t *testing.T) {
	for text, want := range map[string]string{
		"note: pay\u200bments":          ":1:10: U+200B is invisible",
		"note: \"pay\ufeffments\"":      ":1:11: U+FEFF is invisible",
		"note: 'a\u00a0b'":              ":1:9: U+00A0 is invisible",
		"note: a\u00adb":                ":1:8: U+00AD is invisible",
		"note: [a\u3164]":               "U+3164 is invisible",
		"note: a\ufe0f":                 "U+FE0F is invisible",
		"note: a\U000e0041":             `write \U000e0041 in double quotes`,
		"note: {p\u0430y: 1}":           ":1:9: U+0430 is a Cyrillic letter among Latin",
		"note: {a: p\u0430y}":           ":1:12: U+0430 is a Cyrillic letter among Latin",
		"note: \u0430\u03bf":            "U+03BF is a Greek letter among Cyrillic",
		"note: https://\u0430.example":  "U+0430 is a Cyrillic",
		"note: cafe\u0301":              ":1:11: U+0301 is not in normal form",
		"note: \u212bngstrom":           "U+212B is not in normal form",
		"note: \uff41b":                 "U+FF41 is not in normal form",
		"note: client\u2013id":          ":1:13: U+2013 looks like ASCII punctuation; write that, or write \\u2013",
		"note: a\u2212b":                "U+2212 looks like ASCII punctuation",
		"note: 'as.example\u2215x'":     "U+2215 looks like ASCII punctuation",
		"note: O\u2019Brien":            "U+2019 looks like ASCII punctuation",
		"note: https\u2236//a":          "U+2236 looks like ASCII punctuation",
		"note: \u01c3":                  "U+01C3 looks like ASCII punctuation",
		"note: a\u0338":                 "U+0338 looks like ASCII punctuation",
		"note: 'a '":                    "ends with a space",
		"note: \" a\"":                  "starts with a space",
		"note: \"a\t\"":                 "ends with a space",
		"note: |\n  a\n":                "ends with a line break",
		"note: a # \u202ebidi":          "U+202E",
		"name: ok\nnote: pay\u200bment": ":2:10: U+200B",
	} {
		if err := parseNote(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+q: want %s, got %v", text, want, err)
		}
	}
}

// TestSeen: what is written as an escape sequence is meant, and languages that
// mix scripts are left alone, as are comments.
func TestSeen(t *testing.T) {
	for _, text := range []string{
		`note: "pay\u200bments"`, `note: "p\u0430y"`, `note: "cafe\u0301"`, `note: "\x20a\x20"`, `note: "a\n"`, `note: "client\u2013id"`,
		`note: "\u20ac ` + "\u041f\u0440\u0438\u0432\u0435\u0442" + `"`,
		"note: B\u00fccher", "note: caf\u00e9", "note: \u041f\u0440\u0438\u0432\u0435\u0442 1.0",
		"note: Tokyo \u6771\u4eac \u306e", "note: \u00a7 5 \u00ab\u00b1\u00b7\u2030\u00bb \u30fb\u30fc", "note: |-\n  a\n", "note: 'it''s'", "note: ''", "note: \"\"",
		"note: a # \u26a0\ufe0f p\u0430y", "\ufeffnote: a",
	} {
		if err := parseNote(text); err != nil {
			t.Errorf("%+q: %v", text, err)
		}
	}
}

func parseNote(text string) error {
	var m menu
	if !strings.Contains(text, "name:") {
		text += "\nname: lunch"
	}
	d, err := Parse("menu.yaml", []byte(text), Rules{MaxSize: 1 << 10, Start: "start with name:"})
	if err != nil {
		return err
	}
	d.Decode(&m)
	return d.Err()
}
