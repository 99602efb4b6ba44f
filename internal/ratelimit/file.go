package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// maxFile limits what Load reads: about 10,000 budgets with several full
// windows each, in the JSON of version 1.
const maxFile = 256 << 20

// saved is what the file has.
type saved struct {
	path    string // "" before the first Save
	changes uint64
}

// Files replaces files. [github.com/assertd/assertd/internal/atomicfile.Writer]
// does it without tying this process to the disk.
type Files interface {
	// Update replaces a file atomically, unless it has this content and mode. It
	// waits for the disk until ctx ends.
	Update(ctx context.Context, path string, content []byte, mode fs.FileMode) (changed bool, err error)
}

// Save writes a [Limiter.Snapshot] to a file that only its owner can read and
// write (mode 0600), unless the last Save wrote the same usage there. It holds
// up no decision however long the disk takes, and waits for the disk until ctx
// ends.
func (l *Limiter) Save(ctx context.Context, files Files, now Instant, path string) error {
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
		_, err = files.Update(ctx, path, data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("save budgets: %w", err)
	}
	l.saved = next
	return nil
}

// Load restores what [Limiter.Save] wrote; see [Limiter.Restore], also for the
// [*FutureError] of a file that was loaded. The error for a missing file is
// fs.ErrNotExist. A file that group or others can write is refused, since they
// could refill budgets.
func (l *Limiter) Load(now Instant, path string) error {
	data, err := read(path)
	if err == nil {
		err = l.Restore(now, data)
	}
	switch {
	case errors.Is(err, ErrCorrupt):
		return fmt.Errorf("load budgets from %s: %w; remove the file to start with fresh budgets", path, err)
	case errors.As(err, new(*FutureError)), err == nil:
		return err
	}
	return fmt.Errorf("load budgets: %w", err)
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
