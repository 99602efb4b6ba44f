package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// verifier reads the lines of a log from the first one on and checks each
// against all before it.
type verifier struct {
	keys []note.Verifier

	started  bool
	firstSeq int64     // seq of the first line
	last     link      // of the previous line
	leaf     tlog.Hash // of the previous line

	// base is an earlier tree, and recent holds the leaves since then. Both are
	// needed because a checkpoint signs a size that is a few lines before its
	// own line.
	base   head // only its tree and, for resume, its pins
	recent []tlog.Hash

	covered    int64 // size that the newest checkpoint with a verified signature covers
	proven     int64 // the same, plus the checkpoint's own line if that comes next
	newest     []byte
	signed     int
	unverified int // checkpoints by unknown keys
	recoveries int
	known      int64 // size that a known checkpoint covers
	gaps       []Gap

	roots           checkpointRoots
	witnesses       witnessed
	acknowledgments int // rollbacks that a person accepted
}

// fault is what is wrong with a line, by itself or compared with those before
// it.
type fault struct {
	problem Problem
	detail  string
}

func faultf(p Problem, format string, args ...any) *fault {
	return &fault{problem: p, detail: fmt.Sprintf(format, args...)}
}

// chainFault is for a line that does not follow the previous one. diagnose
// finds out which of the two is bad.
var chainFault = &fault{problem: Changed, detail: "does not follow the previous line"}

// next is the number of the next line: the size of the tree.
func (v *verifier) next() int64 { return v.base.tree.size + int64(len(v.recent)) }

// check accepts the next line, or returns what is wrong with it and changes
// nothing.
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
		return l, faultf(Dropped, "the file does not start with a header line")
	}
	if f := v.checkKind(l, line); f != nil {
		return l, f
	}
	v.last, v.leaf = l, tlog.RecordHash(line)
	v.addLeaf(v.leaf)
	return l, nil
}

// isPartialNext reports whether the torn end of a file can be what a killed
// process leaves of the next line, or what a machine leaves that lost power:
// zero bytes.
func (v *verifier) isPartialNext(torn []byte) bool {
	link := appendLink(nil, v.next(), v.leaf)
	n := min(len(torn), len(link))
	return !v.started || bytes.IndexByte(torn, 0) >= 0 || bytes.Equal(torn[:n], link[:n])
}

// begin takes the tree from the header of the first file. The first checkpoint
// shows whether that is the true one.
func (v *verifier) begin(l link, line []byte) *fault {
	if l.kind != kindHeader {
		return faultf(Dropped, "the first file does not start with a header line; earlier lines are missing")
	}
	_, t, err := parseHeader(line)
	if err != nil {
		return faultf(Changed, "header: %v", err)
	}
	if t.size != l.seq || t.size == 0 && l.prev != (tlog.Hash{}) {
		return faultf(Changed, "header: its tree does not end where the file starts")
	}
	if len(v.gaps) == 0 {
		v.firstSeq = l.seq
	}
	v.started, v.base.tree, v.recent = true, t, v.recent[:0]
	return nil
}

// checkKind checks the content of the lines that the log itself writes.
func (v *verifier) checkKind(l link, line []byte) *fault {
	switch l.kind {
	case kindHeader:
		return v.checkHeader(l, line)
	case kindCheckpoint:
		return v.checkCheckpoint(line)
	case kindRecovery:
		v.recoveries++
	case kindCosignature:
		return v.checkCosignature(line)
	case kindAcknowledgment:
		v.acknowledgments++
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
		return faultf(Changed, "header: its tree is not the tree of the lines before it")
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
		return faultf(BadCheckpoint, "it covers %d lines, but there are only %d before it", cp.Size, v.next())
	case cp.Size < v.base.tree.size && cp.Size < v.firstSeq:
		return nil // signed before the first given file starts; says nothing about these lines
	}
	root, ok := v.rootAt(cp.Size)
	if !ok {
		return faultf(BadCheckpoint, "it is %d lines behind the size that it signs; the maximum is %d",
			v.next()-cp.Size, maxBehind)
	}
	if root != cp.Root {
		return faultf(Rewritten, "a checkpoint over %d lines has a different root than these lines", cp.Size)
	}
	if t, _ := v.treeAt(v.next()); c.Edge != nil && !slices.Equal(c.Edge, t.edgeHashes()) {
		return faultf(BadCheckpoint, "its edge is not that of the tree of the lines before it")
	}
	v.accept(cp, []byte(c.Note), signed)
	return nil
}

func (v *verifier) accept(cp Checkpoint, msg []byte, signed bool) {
	v.roots.add(cp)
	v.advanceBase(cp.Size)
	if !signed {
		v.unverified++
	} else {
		v.signed++
		v.covered = max(v.covered, cp.Size)
		if v.proven = v.covered; cp.Size == v.next() {
			v.proven++ // the checkpoint's own line
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
	n := size - v.base.tree.size
	if n <= 0 {
		return
	}
	for _, leaf := range v.recent[:n] {
		v.base.add(leaf)
	}
	v.recent = append(v.recent[:0], v.recent[n:]...)
}

// treeAt returns the tree at a size between the base and now.
func (v *verifier) treeAt(size int64) (tree, bool) {
	t := v.base.tree
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
