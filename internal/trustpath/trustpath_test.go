package trustpath

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const content = "content"

// writeFile writes a file into a directory of its own.
func writeFile(t *testing.T) (dir, path string) {
	t.Helper()
	dir = t.TempDir()
	chmod(t, dir, 0o755)
	path = filepath.Join(dir, "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, path
}

func chmod(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func symlink(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

func TestTrusts(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, dir, path string) string{
		"a private file": func(_ *testing.T, _, path string) string { return path },
		"a file that all can read": func(t *testing.T, _, path string) string {
			chmod(t, path, 0o644)
			return path
		},
		"a sticky directory": func(t *testing.T, dir, path string) string {
			chmod(t, dir, 0o777|fs.ModeSticky)
			return path
		},
		"a relative link": func(t *testing.T, dir, path string) string {
			symlink(t, "file", filepath.Join(dir, "link"))
			return filepath.Join(dir, "link")
		},
		"links like those of Kubernetes": func(t *testing.T, dir, path string) string {
			symlink(t, dir, filepath.Join(dir, "..data"))
			symlink(t, "..data/file", filepath.Join(dir, "mounted"))
			return filepath.Join(dir, "mounted")
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, path := writeFile(t)
			if text, err := (Rules{}).Read(prepare(t, dir, path), File, 100); err != nil || string(text) != content {
				t.Errorf("%q, %v", text, err)
			}
		})
	}
}

func TestDistrusts(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(t *testing.T, dir, path string) string
		says    string
	}{
		"a file that the group can write": {func(t *testing.T, _, path string) string {
			chmod(t, path, 0o660)
			return path
		}, "chmod go-w "},
		"a file that all can write": {func(t *testing.T, _, path string) string {
			chmod(t, path, 0o602)
			return path
		}, "mode 0602"},
		"a directory that all can write": {func(t *testing.T, dir, path string) string {
			chmod(t, dir, 0o777)
			return path
		}, "mode 0777"},
		"a directory further up": {func(t *testing.T, dir, path string) string {
			inner := filepath.Join(dir, "open", "inner")
			if err := os.MkdirAll(inner, 0o755); err != nil {
				t.Fatal(err)
			}
			chmod(t, filepath.Join(dir, "open"), 0o775)
			if err := os.Rename(path, filepath.Join(inner, "c")); err != nil {
				t.Fatal(err)
			}
			return filepath.Join(inner, "c")
		}, "mode 0775"},
		"a link from a directory that all can write": {func(t *testing.T, dir, path string) string {
			open := filepath.Join(dir, "open")
			if err := os.Mkdir(open, 0o755); err != nil {
				t.Fatal(err)
			}
			symlink(t, path, filepath.Join(open, "link"))
			chmod(t, open, 0o777)
			return filepath.Join(open, "link")
		}, "mode 0777"},
		"a link to a file that all can write": {func(t *testing.T, dir, path string) string {
			chmod(t, path, 0o666)
			symlink(t, path, filepath.Join(dir, "link"))
			return filepath.Join(dir, "link")
		}, "mode 0666"},
		"a directory in its place": {func(_ *testing.T, dir, _ string) string { return dir }, "not a regular file"},
		"a pipe in its place": {func(t *testing.T, dir, _ string) string {
			pipe := filepath.Join(dir, "pipe")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Fatal(err)
			}
			return pipe
		}, "not a regular file"},
		"a path that needs quotes in a shell": {func(t *testing.T, dir, path string) string {
			odd := filepath.Join(dir, "a b';c")
			if err := os.Rename(path, odd); err != nil {
				t.Fatal(err)
			}
			chmod(t, odd, 0o666)
			return odd
		}, `/a b'\'';c'`},
	} {
		t.Run(name, func(t *testing.T) {
			dir, path := writeFile(t)
			path = test.prepare(t, dir, path)
			err := readWithin(t, path, File)
			if !errors.Is(err, ErrUntrusted) && !errors.Is(err, ErrNotRegular) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want ErrUntrusted with %q", err, test.says)
			}
		})
	}
}

// readWithin fails the test if Read hangs, as an open of a pipe would.
func readWithin(t *testing.T, path string, kind Kind) error {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		_, err := Rules{}.Read(path, kind, 100)
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(time.Minute):
		t.Fatal("Read hangs")
		return nil
	}
}
