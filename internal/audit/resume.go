package audit

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/assertd/assertd/internal/atomicfile"
	"github.com/assertd/assertd/internal/trustpath"
)

// resume finds the end of the log: in the current file or, if that is missing
// or empty, in the newest renamed file. That one file has everything needed,
// because its header holds the edge of the tree. So there is no second file
// that kill -9 could leave out of step.
func resume(o *Options) (*writer, error) {
	f, err := openFile(o, o.File, false)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = openFile(o, o.File, true)
	}
	if err != nil {
		return nil, openError(err)
	}
	w, err := resumeFile(o, f)
	if err != nil {
		f.f.Close()
	}
	return w, err
}

// openError leaves errors that already say what to do as they are.
func openError(err error) error {
	if errors.Is(err, ErrUnsafe) || errors.Is(err, ErrLocked) {
		return err
	}
	return fmt.Errorf("audit: open the log: %w; check that its directory exists and the daemon can write to it", err)
}

func resumeFile(o *Options, f *file) (*writer, error) {
	t, torn, rest, err := readTailFrom(f)
	if err != nil {
		return nil, err
	}
	w := newWriter(o, f, t.head)
	w.recheck = rest
	w.newest, w.read, w.acknowledged = t.newest, t.read, t.acknowledged
	if t.goodEnd > 0 {
		if err := refuseOlder(f, t.head.tree.size); err != nil {
			rest.close()
			return nil, err
		}
		w.created, w.hasRecords, w.covered, w.checkpointEnd = t.created, t.hasRecords, t.covered, t.checkpointEnd
	} else if err := errors.Join(w.resumeFromPredecessor(), atomicfile.SyncDir(filepath.Dir(o.File))); err != nil {
		return nil, err
	}
	if torn {
		if err := w.moveTorn(f, t.goodEnd); err != nil {
			return nil, err
		}
	}
	return w, w.reportTorn(f.path)
}

// refuseOlder returns ErrRolledBack if a renamed file has lines that the
// current one should have, and does not: someone put an older copy of the
// current file back. end is the number after its last line. A file that can't
// be read shows nothing.
func refuseOlder(f *file, end int64) error {
	current, err := openLogFile(f.path)
	if err != nil {
		return openError(err)
	}
	defer current.Close()
	archives, err := archiveNames(f.path)
	if err != nil {
		return openError(err)
	}
	for _, name := range archives {
		archive, err := openLogFile(name)
		if err != nil {
			continue
		}
		last := int64(-1)
		if archive.seq != noSeq && archive.seq >= current.seq {
			last = archive.end() - 1
		}
		archive.Close()
		if last >= end {
			return fmt.Errorf("%w: %s ends with record %d, but %s already has record %d, so an older copy was put back; "+
				"restore the newest copy of %[2]s, or move it away to continue after the newest of the renamed files; "+
				"if %[4]s is of another log, move that to another directory",
				ErrRolledBack, f.path, end-1, name, last)
		}
	}
	return nil
}

// resumeFromPredecessor takes the end of the log from the previous file, which
// rotation or logrotate renamed, if the process ended before the next file had
// its header. If there is none, a new log starts.
func (w *writer) resumeFromPredecessor() error {
	path, err := predecessor(w.file.path)
	if err != nil || path == "" {
		return err
	}
	if isCompressed(path) {
		return w.resumeFromCompressed(path)
	}
	f, err := openFile(w.opts, path, false)
	if err != nil {
		return fmt.Errorf("audit: continue from %s: %w", path, err)
	}
	defer f.f.Close()
	t, torn, rest, err := readTailFrom(f)
	if err != nil {
		return err
	}
	w.head, w.recheck, w.newest, w.read, w.acknowledged = t.head, rest, t.newest, t.read, t.acknowledged
	if torn {
		if err := w.moveTorn(f, t.goodEnd); err != nil {
			return err
		}
	}
	return w.reportTorn(path)
}

// resumeFromCompressed continues from a file that logrotate compressed while no
// daemon was running. Continuing from an older file, or starting over, would
// use numbers twice.
func (w *writer) resumeFromCompressed(path string) error {
	f, err := trustpath.Regular(path)
	if err != nil {
		return fmt.Errorf("audit: continue from %s: %w", path, err)
	}
	defer f.Close()
	content, err := gzip.NewReader(f)
	if err != nil {
		return damaged(path, "%v", err)
	}
	t, torn, err := readTail(path, content)
	if err == nil && torn {
		err = fmt.Errorf("audit: continue from %s: its last line is torn; uncompress it with gunzip, then start again", path)
	}
	w.head, w.newest, w.read, w.acknowledged = t.head, t.newest, t.read, t.acknowledged
	return err
}

// predecessor returns the newest of the files that were renamed from path, or
// "" if there are none. It refuses to guess past a file that it can't read:
// that could be the newest, and continuing from an older one would use numbers
// twice.
func predecessor(path string) (string, error) {
	archives, err := openArchives(path)
	if err != nil {
		return "", fmt.Errorf("audit: %w; it may be the newest file of the log, so make it readable first", err)
	}
	defer archives.close()
	best, seq := "", int64(noSeq)
	for _, f := range archives.files { // in the order of their first lines
		switch {
		case f.empty(): // logrotate renamed a file that had nothing yet
		case f.seq == seq && f.seq != noSeq:
			return "", damaged(f.Name(), "it begins with the same record as %s; move the copy away", best)
		case f.seq != noSeq:
			best, seq = f.Name(), f.seq
		case !archives.accepted(f):
			return "", damaged(f.Name(), "its first line can't be read, and it may be the newest file of the log; "+
				"restore it, or move it away if it does not belong to the log")
		}
	}
	return best, nil
}

// openArchives opens the files that were renamed from path.
func openArchives(path string) (*fileSet, error) {
	names, err := archiveNames(path)
	if err != nil {
		return nil, err
	}
	return openNames(names)
}

func archiveNames(path string) ([]string, error) {
	list, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, e := range list {
		if isArchive(filepath.Base(path), e.Name()) && e.Type()&^fs.ModeSymlink == 0 {
			names[filepath.Join(filepath.Dir(path), e.Name())] = true
		}
	}
	for name := range names {
		delete(names, name+".gz") // logrotate is writing it, and then removes the other
	}
	return slices.Sorted(maps.Keys(names)), nil
}
