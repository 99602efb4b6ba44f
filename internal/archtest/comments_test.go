package archtest

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// maxComment is the maximum length of a line with only a comment, in
// characters.
const maxComment = 80

// TestCommentWidth checks that comments are wrapped. URLs, directives, code in
// doc comments, and the output of examples can't be.
func TestCommentWidth(t *testing.T) {
	files := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == ".git" || entry.Name() == "node_modules"):
			return filepath.SkipDir
		case filepath.Ext(path) == ".go":
			files++
			checkComments(t, path)
		}
		return nil
	})
	if err != nil || files < 100 {
		t.Fatalf("%d files, %v", files, err)
	}
}

func checkComments(t *testing.T, path string) {
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	positions := token.NewFileSet()
	file := positions.AddFile(path, -1, len(source))
	var s scanner.Scanner
	s.Init(file, source, nil, scanner.ScanComments)
	output := false // in the expected output of an example
	for at, kind, text := s.Scan(); kind != token.EOF; at, kind, text = s.Scan() {
		output = kind == token.COMMENT && (output || strings.HasPrefix(text, "// Output:"))
		if kind != token.COMMENT || output || !wraps(text) {
			continue
		}
		place := positions.Position(at)
		before := string(source[file.Offset(at)-place.Column+1 : file.Offset(at)])
		width := utf8.RuneCountInString(before + text)
		if strings.TrimSpace(before) == "" && width > maxComment {
			t.Errorf("%s: the comment has %d characters, want at most %d", place, width, maxComment)
		}
	}
}

// wraps reports whether a comment could be broken into shorter lines.
func wraps(text string) bool {
	return strings.HasPrefix(text, "// ") && !strings.Contains(text, "://")
}
