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
	line  int64 // number of the last line that next returned, from 1

	torn     []byte // incomplete last line of the last file, or its start
	tornSize int64  // bytes of it, and of zeros after it
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
		r.torn, r.tornSize = append(r.torn, line...), r.tornSize+int64(len(line))
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

// within returns the next line of the current file only.
func (r *logReader) within() (line []byte, ok bool) {
	line, err := r.lines.ReadSlice('\n')
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
		return nil, false
	}
	r.line++
	return bytes.TrimSuffix(line, []byte("\n")), true
}

// rewind goes back to the place right after a line of the current file.
func (r *logReader) rewind(line int64) (err error) {
	if r.lines, err = r.file.lines(); err != nil {
		return err
	}
	for r.line = 0; r.line < line; {
		if _, ok := r.within(); !ok {
			return fmt.Errorf("audit: %s changed while being read; try again", r.name)
		}
	}
	return nil
}

// endsInZeros reports whether nothing but zero bytes follows the first one of a
// line, up to the end of the last file. A loss of power can leave that in place
// of what was not on the disk yet. Then those bytes are torn.
func (r *logReader) endsInZeros(line []byte) (bool, error) {
	good, zeros, found := bytes.Cut(line, []byte{0})
	if !found || len(bytes.Trim(zeros, "\x00")) > 0 || len(r.remaining) > 0 {
		return false, nil
	}
	at, size := r.line, int64(len(line))
	for {
		more, err := r.lines.ReadSlice('\n')
		if len(bytes.Trim(more, "\x00")) > 0 {
			return false, r.rewind(at)
		}
		size += int64(len(more))
		switch {
		case errors.Is(err, io.EOF):
			r.torn, r.tornSize = append(bytes.Clone(good), 0), size
			return true, nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return false, err
		}
	}
}

// again goes back to the start of the current file.
func (r *logReader) again() {
	r.remaining = append([]logFile{r.file}, r.remaining...)
	r.lines = nil
}

// skip leaves the current file.
func (r *logReader) skip() { r.done, r.lines = r.done+r.file.size, nil }
