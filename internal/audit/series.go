package audit

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// series reads the lines of files in the order of their first lines. Files that end in .gz are read through gzip.
type series struct {
	ctx      context.Context
	names    []string // those not opened yet
	progress func(done, total int64)
	done     int64
	total    int64

	file  *os.File
	lines *bufio.Reader
	name  string
	line  int64  // number of the line that next gave last, from 1
	torn  []byte // what stands without a newline at the end of the last file
}

// errTorn is what next gives for a file, not the last one, whose last line has no newline.
var errTorn = errors.New("the last line has no end")

func openSeries(ctx context.Context, files []string, progress func(done, total int64)) (*series, error) {
	if progress == nil {
		progress = func(int64, int64) {}
	}
	s := &series{ctx: ctx, progress: progress}
	begins := make(map[string]int64, len(files))
	for _, name := range files {
		if isApart(name) {
			continue
		}
		seq, size, err := begin(name)
		if err != nil {
			return nil, err
		}
		begins[name] = seq
		s.names = append(s.names, name)
		s.total += size
	}
	slices.SortStableFunc(s.names, func(a, b string) int { return cmp.Compare(begins[a], begins[b]) })
	return s, nil
}

// noSeq is what begin gives for a file without a readable first line.
const noSeq = 1<<63 - 1

// begin gives the number of a file's first line and its size in bytes. Files that have no readable first line come last.
func begin(name string) (seq, size int64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	lines, err := reader(f)
	if err != nil {
		return noSeq, info.Size(), nil
	}
	first, err := lines.ReadSlice('\n')
	if err != nil {
		return noSeq, info.Size(), nil
	}
	l, err := parseLink(first[:len(first)-1])
	if err != nil {
		return noSeq, info.Size(), nil
	}
	return l.seq, info.Size(), nil
}

func reader(f *os.File) (*bufio.Reader, error) {
	if !isPacked(f.Name()) {
		return bufio.NewReaderSize(f, MaxRecord+1), nil
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	return bufio.NewReaderSize(z, MaxRecord+1), nil
}

// next gives the next line without its newline, good until the next call, and whether it is the first of its file. At
// the end it gives io.EOF. A line without end is left out: in the last file it is one that is being written, or that the end
// of a process tore; in another one it is errTorn.
func (s *series) next() (line []byte, firstOfFile bool, err error) {
	for {
		if s.lines == nil {
			if err := s.open(); err != nil {
				return nil, false, err
			}
		}
		line, err := s.lines.ReadSlice('\n')
		switch {
		case err == nil || errors.Is(err, bufio.ErrBufferFull):
			s.line++
			if err := s.tell(); err != nil {
				return nil, false, err
			}
			return bytes.TrimSuffix(line, []byte("\n")), s.line == 1, nil // an overlong one is too long for parseLink
		case !errors.Is(err, io.EOF):
			return nil, false, fmt.Errorf("audit: read %s: %w", s.name, err)
		case len(line) > 0 && len(s.names) > 0:
			s.line++
			return nil, false, errTorn
		}
		s.torn = append(s.torn, line...)
		s.close()
	}
}

// tell reports progress and asks whether to go on, both every few thousand lines.
func (s *series) tell() error {
	if s.line%4096 != 0 {
		return nil
	}
	if at, err := s.file.Seek(0, io.SeekCurrent); err == nil {
		s.progress(min(s.done+at, s.total), s.total)
	}
	return s.ctx.Err()
}

func (s *series) open() error {
	if len(s.names) == 0 {
		s.progress(s.total, s.total)
		return io.EOF
	}
	s.name, s.names, s.line = s.names[0], s.names[1:], 0
	f, err := os.Open(s.name)
	if err != nil {
		return err
	}
	s.file = f
	s.lines, err = reader(f)
	return err
}

// close ends the current file.
func (s *series) close() {
	if s.file == nil {
		return
	}
	if info, err := s.file.Stat(); err == nil {
		s.done += info.Size()
	}
	s.file.Close()
	s.file, s.lines = nil, nil
}

// Files lists the files of the log of a path: the current one and, beside it, those that rotation or logrotate moved away.
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
		return nil, fmt.Errorf("audit: no log at %s: %w", path, fs.ErrNotExist)
	}
	return files, nil
}

// isArchive reports whether a name is that of a file that rotation, logrotate (base.1, base-20060102) or setApart made.
func isArchive(base, name string) bool {
	rest, ok := strings.CutPrefix(name, base)
	return ok && rest != "" && (rest[0] == '.' || rest[0] == '-') && !isApart(name)
}

// isApart reports whether a name is that of the lock or of a torn line. Neither is part of the log, but "audit.jsonl*"
// matches them.
func isApart(name string) bool {
	return strings.HasSuffix(name, ".lock") || strings.Contains(filepath.Base(name), tornInfix)
}

func isPacked(name string) bool { return strings.HasSuffix(name, ".gz") }
