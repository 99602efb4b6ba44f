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
	"github.com/assertd/assertd/internal/trustpath"
)

// tornInfix follows the name of the log file in the name of a file that holds a
// torn line.
const tornInfix = ".torn-"

// tornPrefix is the start of the names of files that hold a torn line of the
// log file at path, where the line would have had this number. Once the log has
// a line of that number, it also has the recovery line about the torn one,
// which comes first. So the name alone says whether the log still has to report
// it.
func tornPrefix(path string, seq int64) string {
	return path + tornInfix + strconv.FormatInt(seq, 10) + "-"
}

// maxWrite is at least the size of the largest write in bytes: 1 MiB of
// records, or one of any size, and the log's own lines before it.
const maxWrite = 2 << 20

// maxUnsynced is at least what a log with SyncInterval may have that is not on
// the disk: more than anyone writes in a second or two.
const maxUnsynced = 64 << 20

// checkTorn returns ErrDamaged if the end of a file is too long to be torn. A
// process that is killed leaves the start of one write. After a loss of power,
// everything since the last sync can be zero bytes, because a file system may
// make a file longer before it has the content on disk. Only with SyncNever has
// that no limit. A longer end was zeroed by something else.
func (o *Options) checkTorn(path string, good, size int64) error {
	limit := map[Sync]int64{SyncAlways: maxWrite, SyncInterval: maxUnsynced}[o.Sync]
	if limit == 0 || size-good <= limit {
		return nil
	}
	return damaged(path, "its last %d bytes are not lines of the log; with audit.sync %s, a crash leaves at most %d", size-good, o.Sync, limit)
}

// moveTorn moves everything after the last good line to a file of its own.
func (w *writer) moveTorn(f *file, good int64) error {
	if err := w.opts.checkTorn(f.path, good, f.end); err != nil {
		return err
	}
	prefix := tornPrefix(f.path, w.head.tree.size)
	earlier, err := withPrefix(prefix)
	if err != nil {
		return err
	}
	path := prefix + w.opts.Clock().UTC().Format(archiveTime)
	if err := copyTorn(f, good, path, w.opts.Mode); err != nil {
		return fmt.Errorf("audit: save the torn last line: %w; free up the disk if it is full", err)
	}
	if err := removeCopies(earlier, path); err != nil {
		return fmt.Errorf("audit: remove an earlier copy of the torn last line: %w; check the permissions of the directory", err)
	}
	if err := errors.Join(f.f.Truncate(good), f.sync()); err != nil {
		return fmt.Errorf("audit: cut off the torn last line: %w; check the disk", err)
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
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return atomicfile.SyncDir(filepath.Dir(path))
}

// removeCopies removes the files that hold only the start of the one at path:
// copies made by a process that was killed before it cut the line off.
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

// beginsWith reports whether the file at path begins with the content of the
// other file.
func beginsWith(path, other string) (bool, error) {
	whole, err := trustpath.ReadRegular(path)
	if err != nil {
		return false, err
	}
	beginning, err := trustpath.ReadRegular(other)
	return bytes.HasPrefix(whole, beginning), err
}

// reportTorn reports the torn lines moved from a file that no recovery line
// covers yet: the one that moveTorn just moved, and those of a process that
// ended before it could write.
func (w *writer) reportTorn(path string) error {
	names, err := withPrefix(tornPrefix(path, w.head.tree.size))
	if err != nil {
		return err
	}
	for _, name := range names {
		info, err := os.Lstat(name)
		if err != nil {
			return fmt.Errorf("audit: %w", err)
		}
		detail := fmt.Sprintf("%d bytes of %s moved to %s", info.Size(), filepath.Base(path), filepath.Base(name))
		w.report("torn last line", detail)
	}
	return nil
}

// withPrefix lists the regular files whose path begins with prefix, oldest
// first.
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
