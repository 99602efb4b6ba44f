package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/internal/atomicfile"
)

// rotation is a change to a new file that waits for a checkpoint over the old one.
type rotation struct {
	rename  bool         // move the file away; otherwise somebody else did
	waiters []chan error // callers of Reopen
}

// archiveTime is the time in the names of files that were moved away.
const archiveTime = "20060102T150405.000000Z"

func (w *writer) rotateIfDue() {
	full := w.opts.MaxSize > 0 && w.file.end >= w.opts.MaxSize
	old := w.opts.MaxAge > 0 && w.opts.Clock().Sub(w.created) >= w.opts.MaxAge
	if w.rotation == nil && w.hasRecords && (full || old) {
		w.startRotation(&rotation{rename: true})
	}
}

// reopen handles one call of Reopen.
func (w *writer) reopen(done chan error) {
	switch {
	case w.rotation != nil:
		w.rotation.waiters = append(w.rotation.waiters, done)
	case w.file.inPlace():
		done <- nil
	default:
		w.startRotation(&rotation{waiters: []chan error{done}})
	}
}

// startRotation waits for a checkpoint first, where there is a key, so that an archived file verifies by itself. The
// signature's time limit bounds the wait; records go on into the old file meanwhile.
func (w *writer) startRotation(r *rotation) {
	w.rotation = r
	w.startCheckpoint()
	if !w.signing {
		w.finishRotation()
	}
}

func (w *writer) finishRotation() {
	r := w.rotation
	if r == nil {
		return
	}
	w.rotation = nil
	err := w.switchFile(r.rename, ".")
	if err != nil {
		w.opts.Logger.Error("audit log can't change to a new file and goes on in the old one", "file", w.file.path, "error", err)
	}
	for _, done := range r.waiters {
		done <- err
	}
}

// quarantine goes over to a new file because somebody else changed the current one. What is left of it stays as evidence; the
// tree goes on, so Verify finds what was done to it.
func (w *writer) quarantine(detail string) {
	w.report("file changed by others", detail)
	if err := w.switchFile(true, ".damaged-"); err != nil {
		w.queued = w.queued[:len(w.queued)-1] // tried again, and noted again, at the next look
		w.opts.Logger.Error("audit log can't change to a new file", "file", w.file.path, "error", err)
	}
}

// switchFile goes over to a new file at the path. The old one is renamed to path + infix + time if it is still there. Should
// the process end right after the rename, Open finds the old file by its name and goes on from its end.
func (w *writer) switchFile(rename bool, infix string) error {
	old, archive := w.file, ""
	if rename && old.inPlace() {
		archive = old.path + infix + w.opts.Clock().UTC().Format(archiveTime)
		if err := renameNoReplace(old.path, archive); err != nil {
			return err
		}
	}
	next, err := openNext(old.path, w.opts.Mode)
	if err != nil {
		if archive != "" {
			err = errors.Join(err, renameNoReplace(archive, old.path))
		}
		return err
	}
	if w.opts.Sync != SyncNever || w.opts.Key != nil { // a later checkpoint syncs only the new file, but covers the old one too
		err = errors.Join(old.sync(), atomicfile.SyncDir(filepath.Dir(old.path)))
	}
	err = errors.Join(err, old.f.Close())
	if err != nil {
		w.opts.Logger.Error("audit log: the old file may not be whole on the disk", "file", old.path, "error", err)
	}
	w.file, w.hasRecords, w.unsyncedSince = next, false, time.Time{}
	_ = w.write(nil) // the header; its failure is kept in outage and tried again
	return nil
}

// openNext creates the next file, or takes an empty one that logrotate created.
func openNext(path string, mode fs.FileMode) (*file, error) {
	f, err := openFile(path, mode, true)
	if !errors.Is(err, fs.ErrExist) {
		return f, err
	}
	if f, err = openFile(path, mode, false); err != nil {
		return nil, err
	}
	if f.end != 0 {
		f.f.Close()
		return nil, fmt.Errorf("audit: %s is there and not empty: move it away", path)
	}
	return f, nil
}

func renameNoReplace(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}
