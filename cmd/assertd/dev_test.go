package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSibling(t *testing.T) {
	dir := t.TempDir()
	beside := filepath.Join(dir, "assertctl")
	if err := os.WriteFile(beside, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Dir(dir))
	relative := "./" + filepath.Base(dir)
	for self, want := range map[string]string{
		"assertd":                             "assertctl",
		filepath.Join(dir, "assertd"):         beside,
		relative + "/assertd":                 relative + "/assertctl",
		filepath.Join(dir, "none", "assertd"): "assertctl",
	} {
		if got := sibling(self, "assertctl"); got != want {
			t.Errorf("beside %s: %s, want %s", self, got, want)
		}
	}
}
