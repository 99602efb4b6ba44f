package profile

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// golden compares got with a file, or writes the file with -update.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s is missing; run go generate ./signer/profile", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; if that is intended, run go generate ./signer/profile\ngot:\n%s", path, got)
	}
}

func indented(t testing.TB, value any) []byte {
	t.Helper()
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}

// TestGolden compares the header and claims of every example with a file.
func TestGolden(t *testing.T) {
	for _, p := range All() {
		t.Run(p.Name, func(t *testing.T) {
			golden(t, filepath.Join("testdata", "golden", p.Name+".json"), indented(t, exampleResult(t, p)))
		})
	}
}

// A golden file of a profile that no longer exists tests nothing.
func TestGoldenHasNoStrays(t *testing.T) {
	entries, err := os.ReadDir(filepath.Join("testdata", "golden"))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if _, ok := Lookup(strings.TrimSuffix(entry.Name(), ".json")); !ok {
			t.Errorf("%s belongs to no profile; remove it", entry.Name())
		}
	}
}

func TestTable(t *testing.T) {
	var text bytes.Buffer
	if err := WriteTable(&text, false); err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("testdata", "table.txt"), text.Bytes())
}

// The grants in the documentation must be valid.
func TestExamplesPassCheck(t *testing.T) {
	for _, p := range All() {
		if err := p.Check(p.Example.complete(p)); err != nil {
			t.Errorf("%v", err)
		}
	}
}
