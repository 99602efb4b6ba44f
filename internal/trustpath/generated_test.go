//go:build linux

package trustpath

import (
	"errors"
	"path/filepath"
	"testing"
)

// TestGenerated is about /proc/kmsg, which looks regular, and waits for the
// next message of the kernel.
func TestGenerated(t *testing.T) {
	dir, _ := writeFile(t)
	link := filepath.Join(dir, "link")
	symlink(t, "/proc/self/status", link) // like it, and readable for everyone
	if _, err := ReadRegular(link); !errors.Is(err, ErrNotRegular) {
		t.Error(err)
	}
	if err := readWithin(t, link, File); !errors.Is(err, ErrNotRegular) && !errors.Is(err, ErrUntrusted) {
		t.Error(err)
	}
}
