package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/assertd/assertd/internal/atomicfile"
	"github.com/assertd/assertd/internal/trustpath"
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
// [*FutureError] of a file that was loaded. A damaged file is set aside, with a
// [*DamagedError], and [Limiter.Exhaust] stands in for it. The error for a
// missing file is fs.ErrNotExist. A file that others can change is refused,
// since they could refill budgets.
func (l *Limiter) Load(now Instant, path string, trust trustpath.Rules) error {
	data, err := read(path, trust)
	if err == nil {
		err = l.Restore(now, data)
	}
	switch {
	case errors.Is(err, ErrCorrupt):
		return l.loadDamaged(now, path, err)
	case errors.As(err, new(*FutureError)), err == nil:
		return err
	}
	return fmt.Errorf("load budgets: %w", err)
}

func (l *Limiter) loadDamaged(now Instant, path string, damage error) error {
	aside, err := atomicfile.SetAside(path, now.Wall)
	if err != nil {
		return fmt.Errorf("load budgets: %w, and it could not be set aside: %w", damage, err)
	}
	l.Exhaust(now.Wall)
	return &DamagedError{File: path, Aside: aside, Cause: damage}
}

// DamagedError says that the budgets file could not be read, and what stands in
// for it.
type DamagedError struct {
	File, Aside string // Aside is the file's new name
	Cause       error
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("%v; the file was set aside as %s, and every window of %v or longer starts empty and refills at the pace of its limit; "+
		"to start with full budgets, stop the daemon, remove %s and start it again", e.Cause, e.Aside, shortest, e.File)
}

// Unwrap returns the cause.
func (e *DamagedError) Unwrap() error { return e.Cause }

func read(path string, trust trustpath.Rules) ([]byte, error) {
	file, err := trust.Open(path, trustpath.File)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(data) > maxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes: %w", path, maxFile, ErrCorrupt)
	}
	return data, err
}
