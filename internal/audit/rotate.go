package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/assertd/assertd/internal/atomicfile"
)

// rotation is a switch to a new file that waits for a checkpoint over the old
// one.
type rotation struct {
	rename  bool         // rename the file; otherwise it was renamed already
	waiters []chan error // callers of Reopen
}

// archiveTime is the format of the time in the names of files that were
// renamed.
const archiveTime = "20060102T150405.000000Z"

func (w *writer) rotateIfDue() {
	now := w.opts.Clock()
	if w.created.After(now) { // the clock was wrong when the file began
		w.created = now
	}
	full := w.opts.MaxSize > 0 && w.file.end >= w.opts.MaxSize
	old := w.opts.MaxAge > 0 && now.Sub(w.created) >= w.opts.MaxAge
	if w.rotation == nil && !w.damaged && !w.rechecking() && w.hasRecords && (full || old) {
		w.startRotation(&rotation{rename: true})
	}
}

// reopen handles one call of Reopen.
func (w *writer) reopen(done chan error) {
	switch {
	case w.damaged:
		done <- errStaysDamaged
	case w.rotation != nil:
		w.rotation.waiters = append(w.rotation.waiters, done)
	case w.file.inPlace():
		done <- nil
	default:
		w.startRotation(&rotation{waiters: []chan error{done}})
	}
}

// startRotation waits for a checkpoint first if there is a key, so that the old
// file verifies by itself. The timeout of the signature limits the wait.
// Records go to the old file meanwhile.
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
	err := errStaysDamaged
	if !w.damaged {
		err = w.switchFile(r.rename, ".")
	}
	if err != nil {
		w.opts.Logger.Error("can't switch to a new audit log file, still writing the old one; check the directory and the disk",
			"file", w.file.path, "error", err)
	}
	for _, done := range r.waiters {
		done <- err
	}
}

// errStaysDamaged is why a damaged log doesn't switch to a new file. A start
// would continue from that one, and the damage would be forgotten.
var errStaysDamaged = fmt.Errorf("audit: %w; accept the damage before the next file starts", ErrDamaged)

// quarantine switches to a new file because someone else changed the current
// one. It keeps the old file as evidence. The tree continues, so Verify finds
// the change.
func (w *writer) quarantine(detail string) {
	w.report("file changed by others", detail)
	err := w.moveForeign()
	if err == nil {
		err = w.switchFile(true, damagedInfix)
	}
	if err != nil {
		w.queued = w.queued[:len(w.queued)-1] // the next tick retries and reports it again
		w.opts.Logger.Error("can't switch to a new audit log file, retrying; check the directory and the disk", "file", w.file.path, "error", err)
	}
}

// moveForeign sets apart what someone put in the place of the current file.
func (w *writer) moveForeign() error {
	info, err := os.Lstat(w.file.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (w.file.inPlace() || info.Mode().IsRegular() && info.Size() == 0) {
		return nil
	}
	if err != nil {
		return err
	}
	return atomicfile.Rename(w.file.path, w.file.path+damagedInfix+w.opts.Clock().UTC().Format(archiveTime))
}

// rescue puts a file back that someone removed, in the background, under the
// name that rotation would have given it. Only this process still has it,
// unless it was compressed.
func (w *writer) rescue(removed *file) {
	content, err := removed.keep()
	if err != nil {
		w.opts.Logger.Error("can't keep the audit log file that was removed", "file", removed.path, "error", err)
		return
	}
	archive := removed.path + "." + w.opts.Clock().UTC().Format(archiveTime)
	size, mode := removed.end, w.opts.Mode
	w.jobs.Go(func() {
		defer content.Close()
		if other := archived(removed.path, content); other != "" {
			w.opts.Logger.Warn("the audit log file was removed before the log switched to the next one; set delaycompress in logrotate", "copy", other)
			return
		}
		if err := atomicfile.ReplaceFrom(archive, io.NewSectionReader(content, 0, size), mode); err != nil {
			w.opts.Logger.Error("can't put the audit log file back that was removed; its records are lost", "file", archive, "error", err)
			return
		}
		w.opts.Logger.Warn("put the audit log file back that was removed; find out who removed it", "file", archive)
	})
}

// archived returns the renamed file that begins with the same record as the
// content, or "".
func archived(path string, content *os.File) string {
	first := firstSeq(bufio.NewReaderSize(io.NewSectionReader(content, 0, MaxRecord+1), MaxRecord+1))
	names, _ := archiveNames(path) // without them, the file is put back
	for _, name := range names {
		f, err := openLogFile(name)
		if err != nil {
			continue
		}
		f.Close()
		if f.seq == first && !strings.Contains(filepath.Base(name), damagedInfix) {
			return name
		}
	}
	return ""
}

// switchFile switches to a new file at the path. It renames the old one to path
// + infix + time if it is still in place. If the process ends right after the
// rename, Open finds the old file by its name and continues from its end.
func (w *writer) switchFile(rename bool, infix string) error {
	old, archive := w.file, ""
	if rename && old.inPlace() {
		archive = old.path + infix + w.opts.Clock().UTC().Format(archiveTime)
		if err := atomicfile.Rename(old.path, archive); err != nil {
			return err
		}
	}
	next, err := openNext(w.opts, old.path)
	if err != nil {
		if archive != "" {
			err = errors.Join(err, atomicfile.Rename(archive, old.path))
		}
		return err
	}
	if rename && archive == "" && old.removed() {
		w.rescue(old)
	}
	// A later checkpoint syncs only the new file, but covers the old one too.
	if w.opts.Sync != SyncNever || w.opts.Key != nil {
		err = errors.Join(old.sync(), atomicfile.SyncDir(filepath.Dir(old.path)))
	}
	err = errors.Join(err, old.f.Close())
	if err != nil {
		w.opts.Logger.Error("the old audit log file may be incomplete on disk; check the disk, and keep a copy of the file", "file", old.path, "error", err)
	}
	w.file, w.hasRecords, w.unsyncedSince = next, false, time.Time{}
	_ = w.write(nil) // the header; a failure starts an outage, which retries
	return nil
}

// openNext creates the next file, or opens an empty one that logrotate created.
func openNext(o *Options, path string) (*file, error) {
	f, err := openFile(o, path, true)
	if !errors.Is(err, fs.ErrExist) {
		return f, err
	}
	if f, err = openFile(o, path, false); err != nil {
		return nil, err
	}
	if f.end != 0 {
		f.f.Close()
		return nil, fmt.Errorf("audit: %s exists and is not empty; move it away", path)
	}
	return f, nil
}
