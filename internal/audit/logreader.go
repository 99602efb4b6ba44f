package audit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// logReader reads the lines of open files, one file after the other.
type logReader struct {
	ctx       context.Context
	set       *fileSet
	remaining []logFile // not read yet
	progress  func(done, total int64)
	done      int64
	total     int64

	file  logFile
	lines *bufio.Reader
	name  string
	line  int64  // number of the last line that next returned, from 1
	torn  []byte // incomplete last line of the last file
}

// errTorn is what next returns for a file whose last line has no newline, if
// another file follows.
var errTorn = errors.New("the last line has no newline")

// read returns a reader from the start of the first file.
func (s *fileSet) read(ctx context.Context, progress func(done, total int64)) *logReader {
	if progress == nil {
		progress = func(int64, int64) {}
	}
	return &logReader{ctx: ctx, progress: progress, set: s, remaining: s.files, total: s.bytes()}
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
		r.skip()
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

// open goes to the next file.
func (r *logReader) open() (err error) {
	if len(r.remaining) == 0 {
		r.progress(r.total, r.total)
		return io.EOF
	}
	if err := r.ctx.Err(); err != nil {
		return err
	}
	r.file, r.remaining = r.remaining[0], r.remaining[1:]
	r.name, r.line = r.file.Name(), 0
	r.lines, err = r.file.lines()
	return err
}

// again goes back to the start of the current file.
func (r *logReader) again() {
	r.remaining = append([]logFile{r.file}, r.remaining...)
	r.lines = nil
}

// skip leaves the current file.
func (r *logReader) skip() { r.done, r.lines = r.done+r.file.size, nil }
