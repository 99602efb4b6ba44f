package jwks

import (
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "jwks.json")
	keys := oneOfEach(t)
	one, two := mustSet(t, keys[0]), mustSet(t, keys[0], keys[1])
	expect := func(step string, set Set, changed bool) {
		t.Helper()
		got, err := WriteFile(path, set)
		if err != nil || got != changed {
			t.Errorf("%s: changed %v, %v", step, got, err)
		}
		content, err := os.ReadFile(path)
		if err != nil || string(content) != string(set.JSON()) {
			t.Errorf("%s: the file holds %q, %v", step, content, err)
		}
		info, err := os.Lstat(path)
		if err != nil || info.Mode() != 0o644 {
			t.Errorf("%s: mode %s, %v", step, info.Mode(), err)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Errorf("%s: %d files are left", step, len(entries))
		}
	}
	expect("first", one, true)
	before, _ := os.Stat(path)
	expect("the same", one, false)
	if after, _ := os.Stat(path); !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) {
		t.Error("the same set was written again")
	}
	expect("another", two, true)
	os.Chmod(path, 0o600)
	expect("another mode", two, true)
	os.WriteFile(path, []byte("{"), 0o644)
	expect("half a file", two, true)
	outside := filepath.Join(t.TempDir(), "outside")
	os.WriteFile(outside, two.JSON(), 0o644)
	os.Remove(path)
	os.Symlink(outside, path)
	expect("a link", one, true)
	if content, _ := os.ReadFile(outside); string(content) != string(two.JSON()) {
		t.Error("a link was followed")
	}
}

func TestWriteFileRefuses(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, fifo, filepath.Join(dir, "none", "jwks.json")} {
		if changed, err := WriteFile(path, Set{}); err == nil || changed {
			t.Errorf("%s was written", path)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%d files are left", len(entries))
	}
}

// A reader never sees anything but one of the sets.
func TestWriteFileIsAtomic(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jwks.json")
	keys := oneOfEach(t)
	sets := []Set{mustSet(t, keys...), mustSet(t, keys[0])}
	if _, err := WriteFile(path, sets[0]); err != nil {
		t.Fatal(err)
	}
	var writer sync.WaitGroup
	done := make(chan struct{})
	writer.Go(func() {
		defer close(done)
		for i := range 50 {
			if _, err := WriteFile(path, sets[i%2]); err != nil {
				t.Error(err)
			}
		}
	})
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		content, err := os.ReadFile(path)
		if err != nil || string(content) != string(sets[0].JSON()) && string(content) != string(sets[1].JSON()) {
			t.Errorf("read %q, %v", content, err)
		}
	}
	writer.Wait()
}
