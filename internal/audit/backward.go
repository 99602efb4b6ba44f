package audit

import (
	"bytes"
	"io"
)

// backwardReader reads the lines of a file from the last one to the first.
type backwardReader struct {
	file io.ReaderAt
	at   int64  // file offset of buf
	buf  []byte // what is read and not returned yet; ends after a newline
	err  error
}

// backwardChunk is how much it reads at a time.
const backwardChunk = 1 << 20

// newBackwardReader starts at the last newline before end. A loss of power may
// have left many zero bytes behind that.
func newBackwardReader(file io.ReaderAt, end int64) *backwardReader {
	r := &backwardReader{file: file, at: end}
	for r.more() {
		if i := bytes.LastIndexByte(r.buf, '\n'); i >= 0 {
			r.buf = r.buf[:i+1]
			return r
		}
		r.buf = bytes.TrimRight(r.buf, "\x00")
	}
	r.buf = nil
	return r
}

// more reads the chunk before buf. It gives up where lines are too long for a
// log: that is not one.
func (r *backwardReader) more() bool {
	if r.at == 0 || len(r.buf) > MaxRecord+backwardChunk {
		return false
	}
	n := min(r.at, backwardChunk)
	longer := make([]byte, n, int(n)+len(r.buf))
	if _, r.err = r.file.ReadAt(longer, r.at-n); r.err != nil {
		return false
	}
	r.at, r.buf = r.at-n, append(longer, r.buf...)
	return true
}

// previous returns the line before the last one that it returned, without its
// newline, and its offset. The line is valid until the next call. ok is false
// at the start of the file, and after an error.
func (r *backwardReader) previous() (line []byte, offset int64, ok bool) {
	for len(r.buf) > 0 || r.more() {
		end := len(r.buf) - 1
		start := bytes.LastIndexByte(r.buf[:end], '\n') + 1
		if start == 0 && r.at > 0 {
			if !r.more() {
				return nil, 0, false
			}
			continue
		}
		line = r.buf[start:end]
		r.buf = r.buf[:start]
		return line, r.at + int64(start), true
	}
	return nil, 0, false
}

// resumePoint is a place in a file from which its tree is known.
type resumePoint struct {
	offset int64
	tree   tree // of all lines before the offset
	line   link // of the line at the offset
}

// newestPoint returns the newest checkpoint line of a file that has the edge of
// its tree. ok is false for a file without one, which must be read from its
// start.
//
// The signature is not verified here, since the key is in the HSM. What matters
// is that the lines before lead to the same tree, which recheck verifies later.
func newestPoint(file io.ReaderAt, end int64) (p resumePoint, ok bool) {
	lines := newBackwardReader(file, end)
	for {
		line, offset, more := lines.previous()
		if !more || offset == 0 {
			return p, false
		}
		l, err := parseLink(line)
		if err != nil || l.kind != kindCheckpoint {
			continue // readTail finds what is wrong, if it matters
		}
		c, err := parseCheckpointLine(line)
		if err != nil || c.Edge == nil {
			continue
		}
		if t, err := newTree(l.seq, c.Edge); err == nil {
			return resumePoint{offset: offset, tree: t, line: l}, true
		}
	}
}
