package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// renames matches the calls with which a file is replaced.
var renames = regexp.MustCompile(`\b(os\.Rename|os\.CreateTemp|unix\.Rename\w*)\(`)

// mayRename lists the files that may have them: the one place that replaces
// files, with all the syncs, and those that only give a file another name.
var mayRename = map[string]string{
	"internal/atomicfile/atomicfile.go":   "replaces files",
	"internal/atomicfile/rename_linux.go": "gives files another name",
	"test/softhsm/softhsm.go":             "moves tokens, for tests",
}

// TestOnePlaceReplacesFiles checks that nothing writes a file and renames it
// without the syncs of internal/atomicfile.
func TestOnePlaceReplacesFiles(t *testing.T) {
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if call := renames.Find(text); call != nil && mayRename[name] == "" {
			t.Errorf("%s calls %s...): use internal/atomicfile", name, call)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
