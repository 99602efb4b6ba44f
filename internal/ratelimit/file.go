package ratelimit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/assertd/assertd/internal/atomicfile"
)

// maxFile limits what Load reads: about 10,000 budgets with several full
// windows each.
const maxFile = 256 << 20

// saved is what the file has.
type saved struct {
	path    string // "" before the first Save
	changes uint64
}

// Save writes a [Limiter.Snapshot] to a file that only its owner can read and
// write (mode 0600), unless the last Save wrote the same usage there. It
// replaces an older file atomically, and holds up no decision however long the
// disk takes.
func (l *Limiter) Save(now time.Time, path string) error {
	l.saving.Lock()
	defer l.saving.Unlock()
	l.mu.Lock()
	next := saved{path, l.changes} // before the snapshot, which may have more
	l.mu.Unlock()
	if next == l.saved {
		return nil
	}
	data, err := l.Snapshot(now)
	if err == nil {
		err = atomicfile.Replace(path, data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("save budgets: %w", err)
	}
	l.saved = next
	return nil
}

// Load restores what [Limiter.Save] wrote; see [Limiter.Restore]. The error for
// a missing file is fs.ErrNotExist. A file that group or others can write is
// refused, since they could refill budgets.
func (l *Limiter) Load(now time.Time, path string) error {
	data, err := read(path)
	if err == nil {
		err = l.Restore(now, data)
	}
	if errors.Is(err, ErrCorrupt) {
		return fmt.Errorf("load budgets from %s: %w; remove the file to start with fresh budgets", path, err)
	}
	if err != nil {
		return fmt.Errorf("load budgets: %w", err)
	}
	return nil
}

func read(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("%s is writable by others (mode %v); run chmod 600 on it", path, info.Mode().Perm())
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(data) > maxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes: %w", path, maxFile, ErrCorrupt)
	}
	return data, err
}
