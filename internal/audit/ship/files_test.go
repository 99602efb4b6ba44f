package ship

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/internal/trustpath"
)

// TestFilesAndDirectories puts named pipes in the place of the files, and a key
// that others can read.
func TestFilesAndDirectories(t *testing.T) {
	dir := t.TempDir()
	pipe, open := filepath.Join(dir, "pipe"), filepath.Join(dir, "open")
	if err := errors.Join(unix.Mkfifo(pipe, 0o600), os.WriteFile(open, nil, 0o600), os.Chmod(open, 0o644)); err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string]Certificates{
		"authorities": {CA: pipe}, "certificate": {Cert: pipe, Key: open}, "key": {Cert: open, Key: pipe},
	} {
		if _, err := files.config(); !errors.Is(err, trustpath.ErrNotRegular) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := (Certificates{Cert: open, Key: open}).config(); err == nil || !strings.Contains(err.Error(), "chmod 600 "+open) {
		t.Errorf("a key that others can read: %v", err)
	}
	if _, err := (cursor{pipe}).load(); !errors.Is(err, trustpath.ErrNotRegular) {
		t.Errorf("the cursor: %v", err)
	}
}
