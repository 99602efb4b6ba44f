package peer

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/ipc/peer/peertest"
)

func openPath(t *testing.T, path string) int {
	t.Helper()
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func hexSum(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

// TestHashCache: the hash of an old file is cached. That of a new one is not,
// since two writes in quick succession may leave the same change time.
func TestHashCache(t *testing.T) {
	path := filepath.Join(t.TempDir(), "program")
	writeFile(t, path, "one")
	now := time.Now()
	cache := newHashCache(2, func() time.Time { return now })
	sum := func() string {
		t.Helper()
		got, err := cache.sum(openPath(t, path))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := sum(); got != hexSum("one") || cache.recent.Len() != 0 {
		t.Errorf("new: %s, %d cached", got, cache.recent.Len())
	}
	now = now.Add(time.Hour)
	for range 2 {
		if got := sum(); got != hexSum("one") || cache.recent.Len() != 1 {
			t.Errorf("old: %s, %d cached", got, cache.recent.Len())
		}
	}
	// A cached hash is returned without reading the file: change it.
	version, err := statVersion(openPath(t, path))
	if err != nil {
		t.Fatal(err)
	}
	cache.byFile[version].Value = hashEntry{version, "mark"}
	if got := sum(); got != "mark" {
		t.Errorf("the file was read again: %s", got)
	}
	writeFile(t, path, "two") // the same size
	peertest.Eventually(t, "the clock of the file system to tick", func() bool {
		writeFile(t, path, "two")
		return sum() == hexSum("two")
	})
}

// TestCacheDoesNotTrustFileSystems: a mount that a user serves can show the
// device, inode, size and change time of a program that was hashed before.
func TestCacheDoesNotTrustFileSystems(t *testing.T) {
	path := filepath.Join(t.TempDir(), "program")
	writeFile(t, path, "one")
	cache := newHashCache(2, func() time.Time { return time.Now().Add(time.Hour) })
	if sum, err := cache.sum(openPath(t, path)); err != nil || sum != hexSum("one") || cache.recent.Len() != 1 {
		t.Fatalf("%s %v, %d cached", sum, err, cache.recent.Len())
	}
	cache.trust = func(int) error { return errors.New("FUSE") }
	if sum, err := cache.sum(openPath(t, path)); err == nil || sum != "" {
		t.Errorf("%q %v", sum, err)
	}
}

func TestHashCacheForgetsTheOldest(t *testing.T) {
	cache := newHashCache(2, time.Now)
	version := func(i uint64) fileVersion { return fileVersion{ino: i} }
	cache.put(version(1), "1")
	cache.put(version(2), "2")
	cache.get(version(1))
	cache.put(version(3), "3")
	for i, want := range map[uint64]bool{1: true, 2: false, 3: true} {
		if _, got := cache.get(version(i)); got != want {
			t.Errorf("%d: %v", i, got)
		}
	}
	if len(cache.byFile) != 2 || cache.recent.Len() != 2 {
		t.Errorf("%d %d", len(cache.byFile), cache.recent.Len())
	}
}

func TestHugeProgramIsNotHashed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "program")
	writeFile(t, path, "")
	if err := os.Truncate(path, maxHashed+1); err != nil {
		t.Fatal(err)
	}
	if sum, err := newHashCache(2, time.Now).sum(openPath(t, path)); err == nil || sum != "" || !strings.Contains(err.Error(), "larger") {
		t.Errorf("%q %v", sum, err)
	}
}

func TestPidfdSupported(t *testing.T) {
	if err := PidfdSupported(); err != nil && !errors.Is(err, ErrPidfdUnsupported) {
		t.Error(err)
	}
}
