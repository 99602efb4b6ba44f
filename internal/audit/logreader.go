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

// logReader reads the lines of files in the order of their first lines. It
// uncompresses files that end in .gz.
type logReader struct {
	ctx       context.Context
	remaining []string // not opened yet
	progress  func(done, total int64)
	done      int64
	total     int64

	file  *os.File
	lines *bufio.Reader
	name  string
	line  int64  // number of the last line that next returned, from 1
	torn  []byte // incomplete last line of the last file
}

// errTorn is what next returns for a file whose last line has no newline, if
// another file follows.
var errTorn = errors.New("the last line has no newline")

func openLogReader(ctx context.Context, files []string, progress func(done, total int64)) (*logReader, error) {
	if progress == nil {
		progress = func(int64, int64) {}
	}
	r := &logReader{ctx: ctx, progress: progress}
	starts := make(map[string]int64, len(files))
	for _, name := range files {
		if isAuxiliary(name) {
			continue
		}
		seq, size, err := firstSeq(name)
		if err != nil {
			return nil, err
		}
		starts[name] = seq
		r.remaining = append(r.remaining, name)
		r.total += size
	}
	slices.SortStableFunc(r.remaining, func(a, b string) int { return cmp.Compare(starts[a], starts[b]) })
	return r, nil
}

// noSeq is what firstSeq returns for a file without a readable first line.
const noSeq = 1<<63 - 1

// firstSeq returns the number of the first line of a file, and the size of the
// file in bytes. Files without a readable first line sort last.
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

// next returns the next line without its newline, valid until the next call,
// and whether it is the first of its file. At the end it returns io.EOF. It
// skips a last line without a newline: in the last file, that line is still
// being written or was torn by the end of the process; in any other file, next
// returns errTorn.
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
			return bytes.TrimSuffix(line, []byte("\n")), r.line == 1, nil // parseLink rejects one that is too long
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

// reportProgress reports progress, and the end of the context, every few
// thousand lines.
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

// close closes the current file.
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
		return nil, fmt.Errorf("audit: no log at %s: %w", path, fs.ErrNotExist)
	}
	return files, nil
}

// isArchive reports whether a name is one that rotation, logrotate (base.1,
// base-20060102) or quarantine gives a file.
func isArchive(base, name string) bool {
	rest, ok := strings.CutPrefix(name, base)
	return ok && rest != "" && (rest[0] == '.' || rest[0] == '-') && !isAuxiliary(name)
}

// isAuxiliary reports whether a name belongs to the lock or to a torn line.
// Neither is part of the log, but "audit.jsonl*" matches them.
func isAuxiliary(name string) bool {
	return strings.HasSuffix(name, ".lock") || strings.Contains(filepath.Base(name), tornInfix)
}

func isCompressed(name string) bool { return strings.HasSuffix(name, ".gz") }
