package audit

import (
	"encoding/json"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// fileStarts finds the place of a line by its number. Lines that passed are
// numbered without gaps, so the first line of each file, and the first one
// behind each gap, is enough.
type fileStarts []fileStart

type fileStart struct {
	file string
	line int64 // from 1
	seq  int64
}

func (f *fileStarts) add(file string, line, seq int64) {
	*f = append(*f, fileStart{file, line, seq})
}

func (f fileStarts) locate(seq int64) (file string, line int64) {
	for _, b := range slices.Backward(f) {
		if b.seq <= seq {
			return b.file, seq - b.seq + b.line
		}
	}
	return "", 0
}

// files returns how many files there are.
func (f fileStarts) files() (n int) {
	for i, start := range f {
		if i == 0 || f[i-1].file != start.file {
			n++
		}
	}
	return n
}

// diagnose finds out which line to name for a fault detected at this one. It
// may read ahead, because verification ends here anyway.
func (v *verifier) diagnose(f *fault, line []byte, firstOfFile bool, r *logReader, p fileStarts) error {
	if f.problem == Rewritten {
		return v.rewritten(v.next(), p, f.detail)
	}
	here := &BadLine{File: r.name, Line: r.line, Seq: v.next(), Problem: f.problem, Detail: f.detail}
	if f != chainFault {
		return here
	}
	before := &BadLine{Seq: v.next() - 1}
	before.File, before.Line = p.locate(before.Seq)

	following, _, err := r.next()
	after, bad := parseLink(following)
	c := chainBreak{line: line, first: firstOfFile, after: after, hasAfter: err == nil && bad == nil, r: r}
	c.own, c.ownErr = parseLink(line)
	if !json.Valid(line) {
		c.ownErr = errMalformed
	}
	return c.classify(v, here, before)
}

// rewritten names the lines that a checkpoint contradicts: those after the last
// one that agrees.
func (v *verifier) rewritten(size int64, p fileStarts, detail string) error {
	from := max(v.covered, v.firstSeq)
	b := &BadLine{Seq: from, Problem: Rewritten}
	b.File, b.Line = p.locate(from)
	file, line := p.locate(size - 1)
	b.Detail = fmt.Sprintf("%s: at least one line from here to %s:%d was changed, and all later links were fixed to match",
		detail, file, line)
	return b
}

// chainBreak is a place where a line does not follow the previous one: that
// line's own link, and that of the line after it.
type chainBreak struct {
	line     []byte
	first    bool
	own      link
	ownErr   error
	after    link
	hasAfter bool
	r        *logReader
}

// classify tells the cases apart by which links match. want is the number that
// the line should have.
func (c *chainBreak) classify(v *verifier, here, before *BadLine) *BadLine {
	want := v.next()
	switch {
	case !v.started:
		return here.as(Changed, "the first line is not a line of this log")
	case c.hasAfter && c.after.seq == want && c.after.prev == v.leaf:
		return c.inserted(want, here)
	case c.ownErr != nil && c.hasAfter && c.after.seq > want+1:
		return here.as(Changed, "not a line of this log; records %d to %d are missing", want, c.after.seq-1)
	case c.ownErr != nil:
		return here.as(Changed, "not a line of this log")
	case c.own.seq == want:
		return c.wrongLink(v, here, before)
	case c.own.prev == v.leaf:
		return here.as(Changed, "it follows the previous line, but its number is %d instead of %d", c.own.seq, want)
	case c.own.seq > want:
		return c.gap(want, here)
	}
	return c.duplicate(v, here, before)
}

// inserted is for a line between two that belong together: an added line, or
// one moved up from below.
func (c *chainBreak) inserted(want int64, here *BadLine) *BadLine {
	if c.ownErr == nil && c.own.seq > want {
		_, _, found, further := c.find(c.own.seq)
		if !found && further {
			return here.as(Reordered, "record %d is here, and missing where it belongs", c.own.seq)
		}
	}
	return here.as(Added, "the next line is the one that follows the previous line")
}

// find reads ahead to the line with this number, and reports whether any line
// had a higher one.
func (c *chainBreak) find(seq int64) (file string, line int64, found, further bool) {
	for l, ok := c.after, c.hasAfter; ; {
		if ok && l.seq == seq {
			return c.r.name, c.r.line, true, further
		}
		further = further || ok && l.seq > seq
		next, _, err := c.r.next()
		if err != nil {
			return "", 0, false, further
		}
		var bad error
		l, bad = parseLink(next)
		ok = bad == nil
	}
}

// wrongLink is for a line with the right number whose prev is not the hash of
// the previous line.
func (c *chainBreak) wrongLink(v *verifier, here, before *BadLine) *BadLine {
	intact := c.hasAfter && c.after.prev == tlog.RecordHash(c.line)
	switch {
	case before.Seq < v.covered:
		return here.as(Changed, "it does not link to the previous line, which a signed checkpoint proves")
	case intact:
		return before.as(Changed, "the next line links to different content")
	}
	return before.as(Changed, "the next line (%s:%d) links to different content; "+
		"if this line is right, that one was changed", here.File, here.Line)
}

// gap is for a line whose number is too high: lines before it are missing, or
// come later.
func (c *chainBreak) gap(want int64, here *BadLine) *BadLine {
	if c.hasAfter && c.after.seq == want+1 && c.after.prev == tlog.RecordHash(c.line) {
		return here.as(Changed, "its number is %d instead of %d", c.own.seq, want)
	}
	if file, line, found, _ := c.find(want); found {
		return here.as(Reordered, "record %d is here; record %d, which belongs here, is at %s:%d", c.own.seq, want, file, line)
	}
	what := "lines are"
	if c.first && c.own.kind == kindHeader {
		what = "a file or the end of the previous one is"
	}
	return here.as(Dropped, "%s missing before it: records %d to %d", what, want, c.own.seq-1)
}

// duplicate is for a line whose number came before.
func (c *chainBreak) duplicate(v *verifier, here, before *BadLine) *BadLine {
	leaf := tlog.RecordHash(c.line)
	switch {
	case c.first && c.own.kind == kindHeader && c.own.seq == 0:
		return here.as(Added, "a new log starts here, which does not continue the previous one")
	case leaf == v.leaf:
		return here.as(Added, "it repeats the previous line")
	case c.own.seq == v.last.seq && c.own.prev == v.last.prev &&
		c.hasAfter && c.after.prev == leaf && before.Seq >= v.covered:
		return before.as(Added, "the next line has the same number, and the log continued from that one")
	case c.hasAfter && c.after.seq == v.next()+1:
		return here.as(Changed, "its number is %d instead of %d", c.own.seq, v.next())
	}
	return here.as(Added, "record %d came before", c.own.seq)
}

// as sets the problem and its detail.
func (e *BadLine) as(p Problem, format string, args ...any) *BadLine {
	e.Problem, e.Detail = p, fmt.Sprintf(format, args...)
	return e
}
