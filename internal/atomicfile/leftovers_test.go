package atomicfile

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What a killed process left is removed. Nothing else is, however similar.
func TestRemoveLeftovers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "anchor")
	temporary, err := os.CreateTemp(dir, ".anchor.*") // what Replace does
	if err != nil {
		t.Fatal(err)
	}
	temporary.Close()
	kept := []string{"anchor", ".anchor.", ".anchor.12a", ".anchor.1.2", ".anchors.1", "anchor.1", ".audit.1"}
	for _, name := range kept {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("anchor", filepath.Join(dir, ".anchor.7")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, ".anchor.8"), 0o700); err != nil {
		t.Fatal(err)
	}
	kept = append(kept, ".anchor.7", ".anchor.8")

	if err := RemoveLeftovers(path, time.Hour); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, dir, append(kept, filepath.Base(temporary.Name()))...)
	if err := RemoveLeftovers(path, 0); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, dir, kept...)
	if err := RemoveLeftovers(filepath.Join(dir, "missing", "anchor"), 0); err != nil {
		t.Error(err)
	}
}
