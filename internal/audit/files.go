package audit

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/assertd/assertd/internal/trustpath"
)

// fileSet is the files of a log, all open, in the order of their first lines.
// They are opened before any is read: a log that rotates meanwhile must not
// look like one that lost a file.
type fileSet struct {
	files []logFile
	apart []string // files with what was set apart from the log as torn
}

type logFile struct {
	*os.File
	seq  int64 // number of the first line; noSeq without a readable one
	size int64
}

// noSeq is the number of the first line of a file without a readable one.
const noSeq = 1<<63 - 1

// openLogFiles opens the files at these paths. With all, each path is that of a
// current file, and the renamed files beside it belong to the log too.
func openLogFiles(paths []string, all bool) (*fileSet, error) {
	if !all {
		return openNames(paths)
	}
	s := &fileSet{}
	for _, path := range paths {
		one, err := openWhole(path)
		if err != nil {
			s.close()
			return nil, err
		}
		s.files, s.apart = append(s.files, one.files...), append(s.apart, one.apart...)
	}
	s.sort()
	return s, nil
}

// openWhole opens the log at path as it is at one moment, although it may
// rotate meanwhile: first the current file, and then those that were renamed
// before that one was started. It tries again if one of them is renamed or
// compressed at that moment, or if the current file has nothing yet.
func openWhole(path string) (*fileSet, error) {
	const attempts = 50
	for i := 1; ; i++ {
		s, err := openOnce(path, i == attempts)
		if err == nil || !errors.Is(err, fs.ErrNotExist) || i == attempts {
			return s, err
		}
		time.Sleep(time.Millisecond)
	}
}

func openOnce(path string, last bool) (*fileSet, error) {
	current, err := openLogFile(path)
	if err != nil && !(last && errors.Is(err, fs.ErrNotExist)) {
		return nil, err
	}
	if current.size == 0 {
		current.Close() // of a nil file is harmless
		if !last {
			return nil, fs.ErrNotExist
		}
		current = logFile{seq: noSeq}
	}
	s, err := openArchives(path)
	if err != nil {
		current.Close()
		return nil, err
	}
	inPlace := current.File != nil && leadsTo(path, current.File)
	s.keep(func(f logFile) bool { return f.size > 0 && (inPlace || f.seq < current.seq || f.seq == noSeq) })
	if current.File != nil {
		s.files = append(s.files, current)
		s.sort()
	}
	if s.apart, err = setApart(path); err == nil && len(s.files) == 0 {
		err = fmt.Errorf("audit: no log at %s: %w; check the path", path, fs.ErrNotExist)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// leadsTo reports whether a path leads to a file. If the path of the current
// file still does, the log did not rotate meanwhile. A renamed file that begins
// behind the current one is part of the log then: someone put an older copy of
// the current file back.
func leadsTo(path string, f *os.File) bool {
	there, err := os.Lstat(path)
	if err != nil {
		return false
	}
	own, err := f.Stat()
	return err == nil && os.SameFile(own, there)
}

// keep closes the other files.
func (s *fileSet) keep(wanted func(logFile) bool) {
	s.files = slices.DeleteFunc(s.files, func(f logFile) bool {
		if wanted(f) {
			return false
		}
		f.Close()
		return true
	})
}

func (s *fileSet) sort() {
	slices.SortStableFunc(s.files, func(a, b logFile) int { return cmp.Compare(a.seq, b.seq) })
}

func (s *fileSet) names() []string {
	names := slices.Clone(s.apart)
	for _, f := range s.files {
		names = append(names, f.Name())
	}
	return names
}

// bytes returns how much there is to read.
func (s *fileSet) bytes() (total int64) {
	for _, f := range s.files {
		total += f.size
	}
	return total
}

func openNames(names []string) (*fileSet, error) {
	s := &fileSet{}
	for _, name := range names {
		if isTorn(name) {
			s.apart = append(s.apart, name)
		}
		if isAuxiliary(name) {
			continue
		}
		f, err := openLogFile(name)
		if err != nil {
			s.close()
			return nil, err
		}
		s.files = append(s.files, f)
	}
	s.sort()
	return s, nil
}

// openLogFile opens a regular file, also through a link. It does not wait for
// the other end of a pipe.
func openLogFile(name string) (logFile, error) {
	f, err := trustpath.Regular(name)
	if err != nil {
		return logFile{}, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return logFile{}, err
	}
	opened := logFile{File: f, seq: noSeq, size: info.Size()}
	if lines, err := opened.lines(); err == nil {
		opened.seq = firstSeq(lines)
	}
	return opened, nil
}

// empty reports whether a file has nothing. A compressed one has content even
// then, or else its compression was cut off.
func (f logFile) empty() bool {
	if !isCompressed(f.Name()) {
		return f.size == 0
	}
	lines, err := f.lines()
	if err != nil {
		return false
	}
	_, err = lines.Peek(1)
	return errors.Is(err, io.EOF)
}

// end returns the number after that of the last line. It reads a compressed
// file to its end. If that can't be read, it returns what there is before.
func (f logFile) end() int64 {
	if !isCompressed(f.Name()) {
		for lines := newBackwardReader(f, f.size); ; {
			line, _, ok := lines.previous()
			if !ok {
				return f.seq
			}
			if l, err := parseLink(line); err == nil {
				return l.seq + 1
			}
		}
	}
	lines, err := f.lines()
	end := f.seq
	for err == nil {
		var line []byte
		line, err = lines.ReadSlice('\n')
		if l, bad := parseLink(bytes.TrimSuffix(line, []byte("\n"))); bad == nil {
			end = l.seq + 1
		}
	}
	return end
}

// firstSeq returns the number of the first line.
func firstSeq(lines *bufio.Reader) int64 {
	first, err := lines.ReadSlice('\n')
	if err != nil {
		return noSeq
	}
	l, err := parseLink(first[:len(first)-1])
	if err != nil {
		return noSeq
	}
	return l.seq
}

// lines reads the file from its start, whatever was read before. It
// uncompresses a file that ends in .gz.
func (f logFile) lines() (*bufio.Reader, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	if !isCompressed(f.Name()) {
		return bufio.NewReaderSize(f, MaxRecord+1), nil
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("audit: read %s: %w", f.Name(), err)
	}
	return bufio.NewReaderSize(z, MaxRecord+1), nil
}

func (s *fileSet) close() {
	for _, f := range s.files {
		f.Close()
	}
}

// Files lists the files of the log at path: the current one, and those beside
// it that rotation or logrotate renamed.
func Files(path string) ([]string, error) {
	list, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range list {
		if e.Name() == filepath.Base(path) || isArchive(filepath.Base(path), e.Name()) {
			files = append(files, filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("audit: no log at %s: %w; check the path", path, fs.ErrNotExist)
	}
	return files, nil
}

// setApart lists the files with torn lines of any file of the log at path.
func setApart(path string) ([]string, error) {
	names, err := withPrefix(path)
	return slices.DeleteFunc(names, func(name string) bool { return !isTorn(name) }), err
}

// isArchive reports whether a name is one that rotation, logrotate (base.1,
// base-20060102) or quarantine gives a file.
func isArchive(base, name string) bool {
	rest, ok := strings.CutPrefix(name, base)
	return ok && rest != "" && (rest[0] == '.' || rest[0] == '-') && !isAuxiliary(name)
}

// CursorSuffix ends the names of files beside the log that say how far its
// lines were shipped. They are not part of the log.
const CursorSuffix = ".cursor"

// isAuxiliary reports whether a name belongs to the lock, to a cursor or to a
// torn line. None is part of the log, but "audit.jsonl*" matches them.
func isAuxiliary(name string) bool {
	return strings.HasSuffix(name, ".lock") || strings.HasSuffix(name, CursorSuffix) || isTorn(name)
}

func isTorn(name string) bool { return strings.Contains(filepath.Base(name), tornInfix) }

func isCompressed(name string) bool { return strings.HasSuffix(name, ".gz") }
