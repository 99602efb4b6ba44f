package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// cosignatureLine is a witness's cosignature (C2SP tlog-cosignature) as a line
// of the log. The note has the checkpoint's text and only that signature.
type cosignatureLine struct {
	Time    time.Time `json:"time"`
	Size    int64     `json:"size"`
	Witness string    `json:"witness"`
	Note    string    `json:"note"`
}

func (c cosignatureLine) body() []byte { return jsonBody(kindCosignature, c) }

func parseCosignatureLine(line []byte) (c cosignatureLine, cp Checkpoint, err error) {
	if err = json.Unmarshal(line, &c); err != nil {
		return c, cp, err
	}
	text, _, ok := strings.Cut(c.Note, "\n\n")
	if !ok {
		return c, cp, fmt.Errorf("its note has no signature")
	}
	cp, err = parseCheckpointText(text + "\n")
	return c, cp, err
}

// Cosigned appends a witness's cosignature of a checkpoint. signature is one
// signature line of a note, which the caller has verified.
func (l *Log) Cosigned(ctx context.Context, c Checkpoint, witness, signature string) error {
	line := cosignatureLine{Time: l.opts.Clock().UTC(), Size: c.Size, Witness: witness, Note: c.text() + "\n" + signature}
	return l.ask(ctx, func() error { return l.w.writeCosignature(line) })
}

// writeCosignature keeps an idle log idle: a cosignature after the checkpoint
// is not worth another checkpoint.
func (w *writer) writeCosignature(line cosignatureLine) error {
	idle := w.head.tree.size == w.checkpointEnd && w.outage == nil && len(w.queued) == 0
	w.queued = append(w.queued, line.body())
	if err := w.write(nil); err != nil {
		w.queued = w.queued[:len(w.queued)-1]
		return err
	}
	if idle {
		w.checkpointEnd = w.head.tree.size
	}
	return nil
}

// witnessed is what the cosignatures in a log prove.
type witnessed struct {
	keys    []note.Verifier
	cosigns map[note.Verifier]int64 // the largest size that each witness has cosigned
}

// open verifies a note. If none of the keys made its signature, it proves
// nothing.
func (w *witnessed) open(msg string, size int64) error {
	n, err := note.Open([]byte(msg), note.VerifierList(w.keys...))
	if _, unknown := err.(*note.UnverifiedNoteError); unknown {
		return nil
	}
	if err != nil {
		return err
	}
	for _, v := range w.keys {
		for _, s := range n.Sigs {
			if s.Name == v.Name() && s.Hash == v.KeyHash() {
				w.add(v, size)
			}
		}
	}
	return nil
}

// size returns the size that so many witnesses have cosigned. The log can't
// have shown another history of those lines to anyone who asks the same
// witnesses.
func (w *witnessed) size(quorum int) int64 {
	if quorum <= 0 || quorum > len(w.cosigns) {
		return 0
	}
	sizes := slices.Sorted(maps.Values(w.cosigns))
	return sizes[len(sizes)-quorum]
}

func (w *witnessed) add(v note.Verifier, size int64) {
	if w.cosigns == nil {
		w.cosigns = make(map[note.Verifier]int64)
	}
	w.cosigns[v] = max(w.cosigns[v], size)
}

// checkpointRoots are the roots of the last checkpoints in a log, to compare
// with the cosignatures, which come later.
type checkpointRoots struct {
	last []Checkpoint
}

// maxCosignLate is how many checkpoints a cosignature may be late. Its witness
// was away that long.
const maxCosignLate = 1 << 12

func (r *checkpointRoots) add(c Checkpoint) {
	if len(r.last) >= 2*maxCosignLate {
		r.last = slices.Clone(r.last[maxCosignLate:])
	}
	r.last = append(r.last, c)
}

func (r *checkpointRoots) root(size int64) (tlog.Hash, bool) {
	for _, c := range slices.Backward(r.last) {
		if c.Size == size {
			return c.Root, true
		}
	}
	return tlog.Hash{}, false
}

// checkCosignature compares the root that a witness signed with the one of
// these lines. A cosignature of a checkpoint before the first given file says
// nothing about them.
func (v *verifier) checkCosignature(line []byte) *fault {
	c, cp, err := parseCosignatureLine(line)
	switch {
	case err != nil:
		return faultf(Changed, "cosignature: %v", err)
	case cp.Size > v.next():
		return faultf(BadCheckpoint, "a witness cosigned %d lines, but there are only %d before it", cp.Size, v.next())
	}
	root, known := v.roots.root(cp.Size)
	if !known {
		return nil
	}
	if root != cp.Root {
		return faultf(Rewritten, "a cosignature over %d lines has a different root than these lines", cp.Size)
	}
	if err := v.witnesses.open(c.Note, cp.Size); err != nil {
		return faultf(BadCheckpoint, "cosignature of %s: %v", c.Witness, err)
	}
	return nil
}
