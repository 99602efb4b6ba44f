package atomicfile

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestUpdate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	expect := func(step, content string, changed bool) {
		t.Helper()
		got, err := Update(path, []byte(content), 0o644)
		if err != nil || got != changed {
			t.Errorf("%s: changed %v, %v", step, got, err)
		}
		present, err := os.ReadFile(path)
		if err != nil || string(present) != content {
			t.Errorf("%s: the file has %q, %v", step, present, err)
		}
		if info, err := os.Lstat(path); err != nil || info.Mode() != 0o644 {
			t.Errorf("%s: mode %s, %v", step, info.Mode(), err)
		}
		wantFiles(t, dir, "file")
	}
	expect("first", "one", true)
	before, _ := os.Stat(path)
	expect("the same", "one", false)
	if after, _ := os.Stat(path); !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) {
		t.Error("the same content was written again")
	}
	expect("another", "two", true)
	os.Chmod(path, 0o600)
	expect("another mode", "two", true)
	os.WriteFile(path, []byte("t"), 0o644)
	expect("part of it", "two", true)
	outside := filepath.Join(t.TempDir(), "outside")
	os.WriteFile(outside, []byte("two"), 0o644)
	os.Remove(path)
	os.Symlink(outside, path)
	expect("a link", "one", true)
	if content, _ := os.ReadFile(outside); string(content) != "two" {
		t.Error("a link was followed")
	}
}

func TestUpdateRefuses(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, fifo, filepath.Join(dir, "none", "file")} {
		if changed, err := Update(path, nil, 0o644); err == nil || changed {
			t.Errorf("%s was written", path)
		}
	}
	wantFiles(t, dir, "fifo")
}
