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

// logReader reads the lines of files in the order of their first lines. Files that end in .gz are read through gzip.
type logReader struct {
	ctx       context.Context
	remaining []string // those not opened yet
	progress  func(done, total int64)
	done      int64
	total     int64

	file  *os.File
	lines *bufio.Reader
	name  string
	line  int64  // number of the line that next gave last, from 1
	torn  []byte // what stands without a newline at the end of the last file
}

// errTorn is what next gives for a file, not the last one, whose last line has no newline.
var errTorn = errors.New("the last line has no end")

func openLogReader(ctx context.Context, files []string, progress func(done, total int64)) (*logReader, error) {
	if progress == nil {
		progress = func(int64, int64) {}
	}
	r := &logReader{ctx: ctx, progress: progress}
	begins := make(map[string]int64, len(files))
	for _, name := range files {
		if isAuxiliary(name) {
			continue
		}
		seq, size, err := firstSeq(name)
		if err != nil {
			return nil, err
		}
		begins[name] = seq
		r.remaining = append(r.remaining, name)
		r.total += size
	}
	slices.SortStableFunc(r.remaining, func(a, b string) int { return cmp.Compare(begins[a], begins[b]) })
	return r, nil
}

// noSeq is what firstSeq gives for a file without a readable first line.
const noSeq = 1<<63 - 1

// firstSeq gives the number of a file's first line and its size in bytes. Files that have no readable first line come last.
func firstSeq(name string) (seq, size int64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	lines, err := newLineReader(f)
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

func newLineReader(f *os.File) (*bufio.Reader, error) {
	if !isCompressed(f.Name()) {
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
func (r *logReader) next() (line []byte, firstOfFile bool, err error) {
	for {
		if r.lines == nil {
			if err := r.open(); err != nil {
				return nil, false, err
			}
		}
		line, err := r.lines.ReadSlice('\n')
		switch {
		case err == nil || errors.Is(err, bufio.ErrBufferFull):
			r.line++
			if err := r.reportProgress(); err != nil {
				return nil, false, err
			}
			return bytes.TrimSuffix(line, []byte("\n")), r.line == 1, nil // an overlong one is too long for parseLink
		case !errors.Is(err, io.EOF):
			return nil, false, fmt.Errorf("audit: read %s: %w", r.name, err)
		case len(line) > 0 && len(r.remaining) > 0:
			r.line++
			return nil, false, errTorn
		}
		r.torn = append(r.torn, line...)
		r.close()
	}
}

// reportProgress reports progress and asks whether to go on, both every few thousand lines.
func (r *logReader) reportProgress() error {
	if r.line%4096 != 0 {
		return nil
	}
	if at, err := r.file.Seek(0, io.SeekCurrent); err == nil {
		r.progress(min(r.done+at, r.total), r.total)
	}
	return r.ctx.Err()
}

func (r *logReader) open() error {
	if len(r.remaining) == 0 {
		r.progress(r.total, r.total)
		return io.EOF
	}
	r.name, r.remaining, r.line = r.remaining[0], r.remaining[1:], 0
	f, err := os.Open(r.name)
	if err != nil {
		return err
	}
	r.file = f
	r.lines, err = newLineReader(f)
	return err
}

// close ends the current file.
func (r *logReader) close() {
	if r.file == nil {
		return
	}
	if info, err := r.file.Stat(); err == nil {
		r.done += info.Size()
	}
	r.file.Close()
	r.file, r.lines = nil, nil
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

// isArchive reports whether a name is that of a file that rotation, logrotate (base.1, base-20060102) or quarantine made.
func isArchive(base, name string) bool {
	rest, ok := strings.CutPrefix(name, base)
	return ok && rest != "" && (rest[0] == '.' || rest[0] == '-') && !isAuxiliary(name)
}

// isAuxiliary reports whether a name is that of the lock or of a torn line. Neither is part of the log, but "audit.jsonl*"
// matches them.
func isAuxiliary(name string) bool {
	return strings.HasSuffix(name, ".lock") || strings.Contains(filepath.Base(name), tornInfix)
}

func isCompressed(name string) bool { return strings.HasSuffix(name, ".gz") }
