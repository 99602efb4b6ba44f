package audit

import (
	"bytes"
	"encoding/json"
	"fmt"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// walker follows the lines of a series from its first one and checks each against all before it.
type walker struct {
	verifiers []note.Verifier

	started bool
	first   int64     // seq of the first line
	last    link      // of the line before
	leaf    tlog.Hash // of the line before

	// base is the tree a while ago and later the leaves since then, because a checkpoint signs a size that lies a few
	// lines before its own line.
	base  tree
	later []tlog.Hash

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

// errChain stands for a line that does not follow the one before; diagnose finds out which of them is to blame.
var errChain = &fault{problem: Changed, detail: "does not follow the line before it"}

// next is the number of the line that must come now: the size of the tree.
func (w *walker) next() int64 { return w.base.size + int64(len(w.later)) }

// step takes in the next line, or says what is wrong with it and stays where it was.
func (w *walker) step(line []byte, firstOfFile bool) (link, *fault) {
	l, err := parseLink(line)
	switch {
	case err != nil || !json.Valid(line):
		return l, errChain
	case !w.started:
		if f := w.start(l, line); f != nil {
			return l, f
		}
	case l.seq != w.next() || l.prev != w.leaf:
		return l, errChain
	case firstOfFile && l.kind != kindHeader:
		return l, faultf(Dropped, "the file does not begin with a header line")
	}
	if f := w.check(l, line); f != nil {
		return l, f
	}
	w.last, w.leaf = l, tlog.RecordHash(line)
	w.take(w.leaf)
	return l, nil
}

// couldBegin reports whether the torn end of a file is what a process that was killed leaves of the next line, or what a
// machine that lost its power leaves: zero bytes.
func (w *walker) couldBegin(torn []byte) bool {
	begin := appendLink(nil, w.next(), w.leaf)
	n := min(len(torn), len(begin))
	return !w.started || bytes.IndexByte(torn, 0) >= 0 || bytes.Equal(torn[:n], begin[:n])
}

// start takes the tree over from the header of the first file. That it is true shows with the first checkpoint.
func (w *walker) start(l link, line []byte) *fault {
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
	w.started, w.first, w.base = true, l.seq, t
	return nil
}

// check looks into the lines of the log's own kinds.
func (w *walker) check(l link, line []byte) *fault {
	switch l.kind {
	case kindHeader:
		return w.checkHeader(l, line)
	case kindCheckpoint:
		return w.checkCheckpoint(line)
	case kindRecovery:
		w.recoveries++
	}
	return nil
}

func (w *walker) checkHeader(l link, line []byte) *fault {
	_, t, err := parseHeader(line)
	if err != nil {
		return faultf(Changed, "header: %v", err)
	}
	root, _ := w.rootAt(l.seq)
	if t.size != l.seq || t.root() != root {
		return faultf(Changed, "header: its tree is not that of the lines before it")
	}
	return nil
}

func (w *walker) checkCheckpoint(line []byte) *fault {
	c, err := parseCheckpointLine(line)
	if err != nil {
		return faultf(Changed, "checkpoint: %v", err)
	}
	cp, signed, err := OpenCheckpoint([]byte(c.Note), w.verifiers)
	switch {
	case err != nil:
		return faultf(BadCheckpoint, "%v", err)
	case cp.Size > w.next():
		return faultf(BadCheckpoint, "it covers %d lines, but only %d stand before it", cp.Size, w.next())
	case cp.Size < w.base.size && cp.Size < w.first:
		return nil // signed before the first file given begins: says nothing about these lines
	}
	root, ok := w.rootAt(cp.Size)
	if !ok {
		return faultf(BadCheckpoint, "it stands %d lines behind the size that it signs; at most %d are allowed", w.next()-cp.Size, maxBehind)
	}
	if root != cp.Root {
		return faultf(Rewritten, "a checkpoint over %d lines has another root than these lines", cp.Size)
	}
	w.accept(cp, []byte(c.Note), signed)
	return nil
}

func (w *walker) accept(cp Checkpoint, msg []byte, signed bool) {
	w.fold(cp.Size)
	if !signed {
		w.unverified++
	} else {
		w.signed++
		w.covered = max(w.covered, cp.Size)
		if w.proven = w.covered; cp.Size == w.next() {
			w.proven++ // the line of the checkpoint itself
		}
	}
	if signed || len(w.verifiers) == 0 {
		w.newest = msg
	}
}

func (w *walker) take(leaf tlog.Hash) {
	if len(w.later) >= 2*maxBehind {
		w.fold(w.next() - maxBehind)
	}
	w.later = append(w.later, leaf)
}

// fold moves the base up to a size.
func (w *walker) fold(size int64) {
	n := size - w.base.size
	if n <= 0 {
		return
	}
	for _, leaf := range w.later[:n] {
		w.base.add(leaf)
	}
	w.later = append(w.later[:0], w.later[n:]...)
}

// treeAt is the tree at a size between the base and now.
func (w *walker) treeAt(size int64) (tree, bool) {
	t := w.base
	if size < t.size || size > w.next() {
		return tree{}, false
	}
	for _, leaf := range w.later[:size-t.size] {
		t.add(leaf)
	}
	return t, true
}

func (w *walker) rootAt(size int64) (tlog.Hash, bool) {
	t, ok := w.treeAt(size)
	return t.root(), ok
}
