package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/strictyaml"
)

const valid = "hsm: {module: /m, token: {label: t}, pin: {file: /p}}\naudit: {required: false}\n"

// writeConfig writes a valid configuration into a directory of its own.
func writeConfig(t *testing.T) (dir, path string) {
	t.Helper()
	dir = t.TempDir()
	chmod(t, dir, 0o755)
	path = filepath.Join(dir, "assertd.yaml")
	if err := os.WriteFile(path, []byte(valid), 0o600); err != nil {
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

func TestLoadTrusts(t *testing.T) {
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
			symlink(t, "assertd.yaml", filepath.Join(dir, "link"))
			return filepath.Join(dir, "link")
		},
		"links like those of Kubernetes": func(t *testing.T, dir, path string) string {
			symlink(t, dir, filepath.Join(dir, "..data"))
			symlink(t, "..data/assertd.yaml", filepath.Join(dir, "mounted.yaml"))
			return filepath.Join(dir, "mounted.yaml")
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, path := writeConfig(t)
			if _, err := Load(prepare(t, dir, path)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLoadDistrusts(t *testing.T) {
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
			if err := os.Rename(path, filepath.Join(inner, "c.yaml")); err != nil {
				t.Fatal(err)
			}
			return filepath.Join(inner, "c.yaml")
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
			odd := filepath.Join(dir, "a b';c.yaml")
			if err := os.Rename(path, odd); err != nil {
				t.Fatal(err)
			}
			chmod(t, odd, 0o666)
			return odd
		}, `/a b'\'';c.yaml'`},
	} {
		t.Run(name, func(t *testing.T) {
			dir, path := writeConfig(t)
			path = test.prepare(t, dir, path)
			_, err := loadWithin(t, path)
			if !errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want ErrUntrusted with %q", err, test.says)
			}
		})
	}
}

// loadWithin fails the test if Load hangs, as an open of a pipe would.
func loadWithin(t *testing.T, path string) (*Config, error) {
	t.Helper()
	type result struct {
		config *Config
		err    error
	}
	done := make(chan result, 1)
	go func() {
		c, err := Load(path)
		done <- result{c, err}
	}()
	select {
	case r := <-done:
		return r.config, r.err
	case <-time.After(10 * time.Second):
		t.Fatal("Load hangs")
		return nil, nil
	}
}

// TestForeignOwner needs files of another user. If the test can't change their
// owner, it plays the other user itself.
func TestForeignOwner(t *testing.T) {
	_, path := writeConfig(t)
	self := uint32(os.Geteuid())
	if self == 0 {
		if err := os.Chown(path, 12345, 12345); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path)
		if !errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), "chown root "+path) {
			t.Errorf("error %v", err)
		}
		if _, err := walkTrusted(path, 12345); err != nil {
			t.Errorf("its own user: %v", err)
		}
		return
	}
	if _, err := walkTrusted(path, self+1); !errors.Is(err, ErrUntrusted) {
		t.Errorf("error %v", err)
	}
}

func TestLoadErrors(t *testing.T) {
	dir, path := writeConfig(t)
	if _, err := Load(filepath.Join(dir, "missing.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	symlink(t, "loop", filepath.Join(dir, "loop"))
	if _, err := Load(filepath.Join(dir, "loop")); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("loop: %v", err)
	}
	if err := os.Truncate(path, MaxSize+1); err != nil {
		t.Fatal(err)
	}
	var invalid *strictyaml.Error
	if _, err := Load(path); !errors.As(err, &invalid) || !strings.Contains(err.Error(), "4194304 bytes") {
		t.Errorf("too large: %v", err)
	}
}
