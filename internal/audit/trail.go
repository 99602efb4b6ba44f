package audit

import (
	"context"
	"fmt"
	"slices"
)

// checkAnchor compares the log with its anchor. newest is the last checkpoint
// in the log's current file, or zero. After a crash, the anchor may be behind
// the log, and the log may have lost the line of the checkpoint in the anchor,
// but never a line below it.
func (w *writer) checkAnchor(newest Checkpoint) error {
	c, ok, err := readAnchor(w.opts.Trust, w.opts.Anchor, w.opts.Timeout)
	if err == nil && !ok && w.opts.Anchor != "" && newest.Size > 0 {
		w.opts.Logger.Warn("the anchor of the audit log is missing, so a rollback before this start goes unnoticed; "+
			"if audit.anchor is not new, find out who removed the file", "anchor", w.opts.Anchor)
	}
	if err != nil || !ok {
		w.anchor.mayHave(w.head.pins)
		return err
	}
	w.anchor.had = []int64{c.Size}
	if c.Size <= w.acknowledged {
		return nil
	}
	if c.Size > w.head.tree.size {
		return w.contradicts(c, false)
	}
	root, known := w.read.rootAt(c.Size)
	if c.Size == newest.Size {
		root, known = newest.Root, true
	}
	switch {
	case known && root != c.Root:
		return w.contradicts(c, true)
	case known || w.head.extends(c):
		return nil
	}
	return w.followAnchor(c)
}

func (w *writer) contradicts(c Checkpoint, split bool) *RolledBackError {
	by := "the anchor " + w.opts.Anchor
	if c.Origin != w.opts.Origin { // it was renamed, or another daemon uses the same anchor
		by += ", which is of the log " + c.Origin + ","
	}
	return &RolledBackError{By: by, Size: c.Size, Lines: w.head.tree.size, Split: split}
}

// extends reports whether a pin proves that the tree extends the checkpoint's.
// A pin may be damaged or forged, so it proves nothing if it does not.
func (h *head) extends(c Checkpoint) bool {
	i := slices.IndexFunc(h.pins, func(p *pin) bool { return p.tree.size == c.Size })
	if i < 0 || h.pins[i].tree.root() != c.Root {
		return false
	}
	_, err := h.pins[i].proof(&h.tree)
	return err == nil
}

// trail is the way from an anchor to the end of the log, if no pin shows it:
// the lines of all files since. It is read while the log is in use, and the
// anchor stays as it is until then.
type trail struct {
	files    *fileSet
	anchored Checkpoint
	end      Checkpoint // of the log, without origin
	broken   *RolledBackError
}

// followAnchor finds the files. Without them, the log may be another one.
func (w *writer) followAnchor(c Checkpoint) error {
	files, err := openWhole(w.opts.File)
	if err != nil {
		return fmt.Errorf("audit: compare the log with its anchor: %w", err)
	}
	files.keep(func(f logFile) bool { return f.seq != noSeq })
	last := -1
	for i, f := range files.files {
		if f.seq <= c.Size {
			last = i
		}
	}
	if last < 0 {
		broken := w.contradicts(c, true)
		broken.Why = fmt.Sprintf("%s are missing", records(c.Size, files.files[0].seq-1))
		files.close()
		return broken
	}
	from := files.files[last].seq
	files.keep(func(f logFile) bool { return f.seq >= from })
	w.trail = &trail{files: files, anchored: c, end: Checkpoint{Size: w.head.tree.size, Root: w.head.tree.root()}, broken: w.contradicts(c, true)}
	w.anchor.hold()
	return nil
}

func (t *trail) close() {
	if t != nil {
		t.files.close()
	}
}

// run returns a *RolledBackError if the log does not continue the anchor's
// lines, or if its files do not show it.
func (t *trail) run(ctx context.Context) error {
	if t == nil {
		return nil
	}
	defer t.close()
	v, r := &verifier{}, t.files.read(ctx, halfSpeed(ctx))
	for compared := false; v.next() < t.end.Size || !compared; {
		line, first, err := r.next()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return t.unreadable(r, err.Error())
		}
		if _, fault := v.check(line, first); fault != nil {
			return t.unreadable(r, fault.detail)
		}
		if !compared && v.next() >= t.anchored.Size {
			if root, known := v.rootAt(t.anchored.Size); !known || root != t.anchored.Root {
				return t.broken
			}
			compared = true
		}
	}
	if root, known := v.rootAt(t.end.Size); !known || root != t.end.Root {
		return t.broken
	}
	return nil
}

func (t *trail) unreadable(r *logReader, why string) error {
	t.broken.Why = fmt.Sprintf("%s:%d: %s", r.name, r.line, why)
	return t.broken
}
