package atomicfile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestReplaceSetsContentAndMode(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	path := filepath.Join(t.TempDir(), "file")
	for _, mode := range []fs.FileMode{0o600, 0o644, 0o400} {
		content := []byte(mode.String())
		if err := Replace(path, content, mode); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode() != mode {
			t.Errorf("mode %v, want %v: %v", info.Mode(), mode, err)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%q: %v", got, err)
		}
	}
	wantFiles(t, filepath.Dir(path), "file")
}

func TestReplaceDoesNotFollowLinks(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	err := errors.Join(os.WriteFile(target, []byte("old"), 0o600), os.Symlink("target", link), Replace(link, []byte("new"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(target); string(got) != "old" {
		t.Errorf("the link's target has %q", got)
	}
	if info, err := os.Lstat(link); err != nil || !info.Mode().IsRegular() {
		t.Errorf("%v: %v", info, err)
	}
}

func TestAFailedReplaceLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, []byte("new"), 0o600); err == nil {
		t.Error("replaced a directory")
	}
	wantFiles(t, dir, "file")
	if err := Replace(filepath.Join(dir, "missing", "file"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestReadersSeeTheOldContentOrTheNew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	contents := [][]byte{bytes.Repeat([]byte("a"), 100_000), bytes.Repeat([]byte("b"), 200_000)}
	if err := Replace(path, contents[0], 0o600); err != nil {
		t.Fatal(err)
	}
	var done atomic.Bool
	read := make(chan error, 1)
	go func() {
		for !done.Load() {
			got, err := os.ReadFile(path)
			if err == nil && !bytes.Equal(got, contents[0]) && !bytes.Equal(got, contents[1]) {
				err = errors.New("read a mixture")
			}
			if err != nil {
				read <- err
				return
			}
		}
		read <- nil
	}()
	for i := range 50 {
		if err := Replace(path, contents[i%2], 0o600); err != nil {
			t.Error(err)
		}
	}
	done.Store(true)
	if err := <-read; err != nil {
		t.Error(err)
	}
}

// A directory may be writable but unreadable, as one with mode 0300.
func TestReplaceInAnUnreadableDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o300); err != nil {
		t.Fatal(err)
	}
	err := withoutReadOverride(func() error { return Replace(filepath.Join(dir, "file"), []byte("new"), 0o600) })
	if err != nil {
		t.Error(err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, dir, "file")
}

// withoutReadOverride runs f on a thread without the capabilities that let root
// read any directory. The thread ends with it.
func withoutReadOverride(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and no unlock: the thread is not used again
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&header, &none[0]); err != nil {
			result <- err
			return
		}
		result <- f()
	}()
	return <-result
}

func wantFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	var got []string
	for _, e := range list {
		got = append(got, e.Name())
	}
	want = slices.Sorted(slices.Values(want))
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("want only %q in the directory, got %q: %v", want, got, err)
	}
}
