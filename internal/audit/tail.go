package audit

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// tail is the end of the log as one file shows it.
type tail struct {
	head          head
	goodEnd       int64 // offset after the last good line
	created       time.Time
	hasRecords    bool
	covered       int64
	checkpointEnd int64
	newest        Checkpoint
	acknowledged  int64
	damage        *recovery // what a daemon found before it stopped signing
	read          *verifier // has the tree at the sizes that were read
}

// readTail reads the lines of a file to its end. torn reports that the rest
// after the last good line is what a sudden end of the process or the machine
// leaves: the start of a line, or zero bytes, and nothing behind that is a line
// of a log. Anything else is ErrDamaged.
func readTail(path string, content io.Reader) (t tail, torn bool, err error) {
	return readTailWith(&verifier{}, path, content)
}

// readTailFrom is readTail for an uncompressed file, of which it reads only
// what its newest checkpoint does not cover. rest is what it left out; nil if
// nothing.
func readTailFrom(f *file) (t tail, torn bool, rest *recheck, err error) {
	p, ok := newestPoint(f.f, f.end)
	if !ok {
		t, torn, err = readTail(f.path, io.NewSectionReader(f.f, 0, f.end))
		return t, torn, nil, err
	}
	v := &verifier{started: true, firstSeq: p.tree.size, base: head{tree: p.tree}, leaf: p.line.prev}
	t, torn, err = readTailWith(v, f.path, io.NewSectionReader(f.f, p.offset, f.end-p.offset))
	if err != nil {
		return t, false, nil, err
	}
	t.goodEnd, t.hasRecords = t.goodEnd+p.offset, true
	rest, err = newRecheck(f, p)
	if err == nil {
		t.created, err = rest.created()
	}
	return t, torn, rest, err
}

func readTailWith(v *verifier, path string, content io.Reader) (t tail, torn bool, err error) {
	t.read = v
	lines := bufio.NewReaderSize(content, MaxRecord+1)
	for n := int64(1); ; n++ {
		line, err := lines.ReadSlice('\n')
		switch {
		case err == nil || errors.Is(err, bufio.ErrBufferFull) || errors.Is(err, io.EOF):
		case isCorrupt(err):
			return t, false, damaged(path, "after record %d: %v", v.next()-1, err)
		default:
			return t, false, fmt.Errorf("audit: read %s: %w", path, err)
		}
		if len(line) == 0 {
			break
		}
		body, complete := bytes.CutSuffix(line, []byte("\n"))
		l, fault := link{}, chainFault
		if complete {
			l, fault = v.check(body, n == 1 && !v.started)
		}
		if fault != nil {
			torn, err = tornEnd(bytes.Clone(line), complete, lines)
			if err == nil && !torn {
				err = damaged(path, "record %d: %s", v.next(), fault.detail)
			}
			t.head = v.head()
			if err == nil {
				err = t.foundBefore(path)
			}
			return t, torn, err
		}
		t.observe(v, l, body, int64(len(line)))
	}
	t.head = v.head()
	return t, false, t.foundBefore(path)
}

// foundBefore returns the damage that stopped an earlier daemon.
func (t *tail) foundBefore(path string) error {
	if t.damage == nil {
		return nil
	}
	found := &DamagedError{File: path, Detail: t.damage.Detail, first: noSeq}
	if t.damage.Damaged != nil {
		found.first = *t.damage.Damaged
	}
	return found
}

// isCorrupt reports whether a compressed file is to blame, not the disk.
func isCorrupt(err error) bool {
	var corrupt flate.CorruptInputError
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) || errors.As(err, &corrupt)
}

// tornEnd reports whether a bad line and all that follows it can be what a
// crash left. A line of the log further on shows that the log went on from
// there.
func tornEnd(line []byte, complete bool, rest io.Reader) (bool, error) {
	if complete && bytes.IndexByte(line, 0) < 0 {
		return false, nil
	}
	behind, err := linesBehind(io.MultiReader(bytes.NewReader(line), rest), 1)
	return behind.lines == 0, err
}

// remains is what a place that should hold nothing of the log holds of it.
type remains struct {
	lines       int64
	first, last int64 // their lowest and highest number
}

// linesBehind looks for lines of a log in bytes that are not one, behind the
// first piece: that one can be a line that was never acknowledged. It stops
// after so many; 0 for all.
func linesBehind(content io.Reader, limit int64) (r remains, err error) {
	pieces := bufio.NewScanner(content)
	pieces.Buffer(nil, MaxRecord+2)
	pieces.Split(splitPieces)
	for n := 0; pieces.Scan(); n++ {
		l, err := parseLink(pieces.Bytes())
		if n == 0 || err != nil {
			continue
		}
		if r.lines == 0 {
			r.first, r.last = l.seq, l.seq
		}
		r.first, r.last = min(r.first, l.seq), max(r.last, l.seq)
		if r.lines++; r.lines == limit {
			break
		}
	}
	return r, pieces.Err()
}

// splitPieces is a bufio.SplitFunc that ends a piece at a newline or a zero
// byte, since a damaged newline may be one. A row of zero bytes, which may be
// long, is one empty piece. It drops pieces that are too long.
func splitPieces(data []byte, atEOF bool) (int, []byte, error) {
	if zeros := len(data) - len(bytes.TrimLeft(data, "\x00")); zeros > 0 {
		return zeros, data[:0], nil
	}
	i := bytes.IndexAny(data, "\n\x00")
	switch {
	case i >= 0:
		return i + 1, data[:i], nil
	case len(data) > MaxRecord || atEOF && len(data) > 0:
		return len(data), data, nil
	}
	return 0, nil, nil
}

// observe records what the writer must know about a good line.
func (t *tail) observe(v *verifier, l link, body []byte, size int64) {
	t.goodEnd += size
	switch l.kind {
	case kindHeader:
		if h, _, err := parseHeader(body); err == nil {
			t.created = h.Time
			t.carry(v, h.carried)
		}
	case kindCheckpoint:
		if c, err := parseCheckpointLine(body); err == nil {
			t.covered, t.checkpointEnd = c.Size, c.Size+1
			t.newest, _, _ = OpenCheckpoint([]byte(c.Note), nil) // check has opened it
			t.carry(v, c.carried)
		}
	case kindCosignature:
		if t.checkpointEnd == l.seq { // see writeCosignature
			t.checkpointEnd++
		}
	case kindAcknowledgment:
		var a acknowledgmentLine
		if json.Unmarshal(body, &a) == nil {
			t.acknowledged = max(t.acknowledged, a.Size)
		}
	case kindRecovery:
		var r recovery
		if json.Unmarshal(body, &r) == nil && r.What == foundDamage {
			t.damage = &r
		}
	default:
		t.hasRecords = true
	}
}

// carry takes what a line carries on. Pins that can't be read are left out:
// older files have what they hold.
func (t *tail) carry(v *verifier, c carried) {
	t.acknowledged = max(t.acknowledged, c.Acknowledged)
	v.base.pins, _ = parsePins(c.Pins)
}

// head is where the next line goes.
func (v *verifier) head() head {
	h := v.base
	for _, leaf := range v.recent {
		h.add(leaf)
	}
	h.prev = v.leaf
	return h
}
