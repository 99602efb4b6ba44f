package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/assertd/assertd/internal/atomicfile"
)

// tornInfix comes after the log file's name in the name of a file that keeps a
// torn line.
const tornInfix = ".torn-"

// tornPrefix begins the names of the files that keep torn lines of a log file that
// would have had this number. Once a line of that number is in the log, the recovery
// line that tells of the torn one is too, because it comes first. So the name alone
// says whether the log still has to tell of it.
func tornPrefix(path string, seq int64) string {
	return path + tornInfix + strconv.FormatInt(seq, 10) + "-"
}

// moveTorn moves what follows the last good line to a file of its own.
func (w *writer) moveTorn(f *file, good int64) error {
	prefix := tornPrefix(f.path, w.head.tree.size)
	earlier, err := withPrefix(prefix)
	if err != nil {
		return err
	}
	path := prefix + w.opts.Clock().UTC().Format(archiveTime)
	if err := copyTorn(f, good, path, w.opts.Mode); err != nil {
		return fmt.Errorf("audit: can't save the torn last line (is the disk full?): %w", err)
	}
	if err := removeCopies(earlier, path); err != nil {
		return fmt.Errorf("audit: can't remove an earlier copy of the torn last line: %w", err)
	}
	if err := errors.Join(f.f.Truncate(good), f.sync()); err != nil {
		return fmt.Errorf("audit: can't cut off the torn last line: %w", err)
	}
	f.end = good
	return nil
}

func copyTorn(f *file, good int64, path string, mode fs.FileMode) error {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, io.NewSectionReader(f.f, good, f.end-good))
	return errors.Join(err, out.Sync(), out.Close(), atomicfile.SyncDir(filepath.Dir(path)))
}

// removeCopies removes the files that hold nothing but the beginning of the one at
// path: copies that a process made before it was killed, and whose line it had not
// cut off yet.
func removeCopies(earlier []string, path string) error {
	for _, name := range earlier {
		beginning, err := beginsWith(path, name)
		if err == nil && beginning {
			err = os.Remove(name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// beginsWith reports whether the file at path begins with all of the other file.
func beginsWith(path, other string) (bool, error) {
	whole, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	beginning, err := os.ReadFile(other)
	return bytes.HasPrefix(whole, beginning), err
}

// noteTorn has the log tell of the torn lines that were moved from a file and that
// no recovery line tells of yet: the one that moveTorn just moved, and those of a
// process that ended before it could write.
func (w *writer) noteTorn(path string) error {
	names, err := withPrefix(tornPrefix(path, w.head.tree.size))
	if err != nil {
		return err
	}
	for _, name := range names {
		info, err := os.Lstat(name)
		if err != nil {
			return fmt.Errorf("audit: %w", err)
		}
		w.report("torn last line", fmt.Sprintf("%d bytes of %s moved to %s", info.Size(), filepath.Base(path), filepath.Base(name)))
	}
	return nil
}

// withPrefix lists the regular files whose path begins with prefix, oldest first.
func withPrefix(prefix string) ([]string, error) {
	dir, base := filepath.Split(prefix)
	list, err := os.ReadDir(filepath.Clean(dir))
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	var paths []string
	for _, e := range list {
		if strings.HasPrefix(e.Name(), base) && e.Type().IsRegular() {
			paths = append(paths, dir+e.Name())
		}
	}
	return paths, nil
}
