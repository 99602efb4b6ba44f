package audit

import (
	"bytes"
	"encoding/json"
	"fmt"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// verifier follows the lines of a series from its first one and checks each against all before it.
type verifier struct {
	keys []note.Verifier

	started  bool
	firstSeq int64     // seq of the first line
	last     link      // of the line before
	leaf     tlog.Hash // of the line before

	// base is the tree a while ago and recent the leaves since then, because a checkpoint signs a size that lies a few
	// lines before its own line.
	base   tree
	recent []tlog.Hash

	covered    int64 // size that the newest checkpoint with a verified signature covers
	proven     int64 // the same, with the checkpoint's own line where that comes next
	newest     []byte
	signed     int
	unverified int // checkpoints by unknown keys
	recoveries int
}

// fault is what is wrong with a line by itself or against those before it.
type fault struct {
	problem Problem
	detail  string
}

func faultf(p Problem, format string, args ...any) *fault {
	return &fault{problem: p, detail: fmt.Sprintf(format, args...)}
}

// chainFault stands for a line that does not follow the one before; diagnose finds out which of them is to blame.
var chainFault = &fault{problem: Changed, detail: "does not follow the line before it"}

// next is the number of the line that must come now: the size of the tree.
func (v *verifier) next() int64 { return v.base.size + int64(len(v.recent)) }

// check takes in the next line, or says what is wrong with it and stays where it was.
func (v *verifier) check(line []byte, firstOfFile bool) (link, *fault) {
	l, err := parseLink(line)
	switch {
	case err != nil || !json.Valid(line):
		return l, chainFault
	case !v.started:
		if f := v.begin(l, line); f != nil {
			return l, f
		}
	case l.seq != v.next() || l.prev != v.leaf:
		return l, chainFault
	case firstOfFile && l.kind != kindHeader:
		return l, faultf(Dropped, "the file does not begin with a header line")
	}
	if f := v.checkKind(l, line); f != nil {
		return l, f
	}
	v.last, v.leaf = l, tlog.RecordHash(line)
	v.addLeaf(v.leaf)
	return l, nil
}

// isPartialNext reports whether the torn end of a file is what a process that was killed leaves of the next line, or what a
// machine that lost its power leaves: zero bytes.
func (v *verifier) isPartialNext(torn []byte) bool {
	begin := appendLink(nil, v.next(), v.leaf)
	n := min(len(torn), len(begin))
	return !v.started || bytes.IndexByte(torn, 0) >= 0 || bytes.Equal(torn[:n], begin[:n])
}

// begin takes the tree over from the header of the first file. That it is true shows with the first checkpoint.
func (v *verifier) begin(l link, line []byte) *fault {
	if l.kind != kindHeader {
		return faultf(Dropped, "the first file does not begin with a header line: lines before this one are missing")
	}
	_, t, err := parseHeader(line)
	if err != nil {
		return faultf(Changed, "header: %v", err)
	}
	if t.size != l.seq || t.size == 0 && l.prev != (tlog.Hash{}) {
		return faultf(Changed, "header: its tree does not end where the file begins")
	}
	v.started, v.firstSeq, v.base = true, l.seq, t
	return nil
}

// checkKind looks into the lines of the log's own kinds.
func (v *verifier) checkKind(l link, line []byte) *fault {
	switch l.kind {
	case kindHeader:
		return v.checkHeader(l, line)
	case kindCheckpoint:
		return v.checkCheckpoint(line)
	case kindRecovery:
		v.recoveries++
	}
	return nil
}

func (v *verifier) checkHeader(l link, line []byte) *fault {
	_, t, err := parseHeader(line)
	if err != nil {
		return faultf(Changed, "header: %v", err)
	}
	root, _ := v.rootAt(l.seq)
	if t.size != l.seq || t.root() != root {
		return faultf(Changed, "header: its tree is not that of the lines before it")
	}
	return nil
}

func (v *verifier) checkCheckpoint(line []byte) *fault {
	c, err := parseCheckpointLine(line)
	if err != nil {
		return faultf(Changed, "checkpoint: %v", err)
	}
	cp, signed, err := OpenCheckpoint([]byte(c.Note), v.keys)
	switch {
	case err != nil:
		return faultf(BadCheckpoint, "%v", err)
	case cp.Size > v.next():
		return faultf(BadCheckpoint, "it covers %d lines, but only %d stand before it", cp.Size, v.next())
	case cp.Size < v.base.size && cp.Size < v.firstSeq:
		return nil // signed before the first file given begins: says nothing about these lines
	}
	root, ok := v.rootAt(cp.Size)
	if !ok {
		return faultf(BadCheckpoint, "it stands %d lines behind the size that it signs; at most %d are allowed", v.next()-cp.Size, maxBehind)
	}
	if root != cp.Root {
		return faultf(Rewritten, "a checkpoint over %d lines has another root than these lines", cp.Size)
	}
	v.accept(cp, []byte(c.Note), signed)
	return nil
}

func (v *verifier) accept(cp Checkpoint, msg []byte, signed bool) {
	v.advanceBase(cp.Size)
	if !signed {
		v.unverified++
	} else {
		v.signed++
		v.covered = max(v.covered, cp.Size)
		if v.proven = v.covered; cp.Size == v.next() {
			v.proven++ // the line of the checkpoint itself
		}
	}
	if signed || len(v.keys) == 0 {
		v.newest = msg
	}
}

func (v *verifier) addLeaf(leaf tlog.Hash) {
	if len(v.recent) >= 2*maxBehind {
		v.advanceBase(v.next() - maxBehind)
	}
	v.recent = append(v.recent, leaf)
}

// advanceBase moves the base up to a size.
func (v *verifier) advanceBase(size int64) {
	n := size - v.base.size
	if n <= 0 {
		return
	}
	for _, leaf := range v.recent[:n] {
		v.base.add(leaf)
	}
	v.recent = append(v.recent[:0], v.recent[n:]...)
}

// treeAt is the tree at a size between the base and now.
func (v *verifier) treeAt(size int64) (tree, bool) {
	t := v.base
	if size < t.size || size > v.next() {
		return tree{}, false
	}
	for _, leaf := range v.recent[:size-t.size] {
		t.add(leaf)
	}
	return t, true
}

func (v *verifier) rootAt(size int64) (tlog.Hash, bool) {
	t, ok := v.treeAt(size)
	return t.root(), ok
}
