package audit

import (
	"encoding/json"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// fileStarts tells where the line of a number stands. Lines that passed are numbered without gaps, so the first line of each
// file is enough.
type fileStarts []struct {
	file string
	seq  int64
}

func (f *fileStarts) add(file string, seq int64) {
	*f = append(*f, struct {
		file string
		seq  int64
	}{file, seq})
}

func (f fileStarts) locate(seq int64) (file string, line int64) {
	for _, b := range slices.Backward(f) {
		if b.seq <= seq {
			return b.file, seq - b.seq + 1
		}
	}
	return "", 0
}

// diagnose finds out which line to name for a fault that showed at this one. It may read on in the series, as verification ends
// here anyway.
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

// rewritten names the lines that a checkpoint contradicts: those after the last one that agrees.
func (v *verifier) rewritten(size int64, p fileStarts, detail string) error {
	from := max(v.covered, v.firstSeq)
	b := &BadLine{Seq: from, Problem: Rewritten}
	b.File, b.Line = p.locate(from)
	file, line := p.locate(size - 1)
	b.Detail = fmt.Sprintf("%s: one or more of the lines from here to %s:%d were changed and all later links made to fit", detail, file, line)
	return b
}

// chainBreak is a place where a line does not follow the one before it: its own link, and that of the line after it.
type chainBreak struct {
	line     []byte
	first    bool
	own      link
	ownErr   error
	after    link
	hasAfter bool
	r        *logReader
}

// classify tells the cases apart by whose links agree. want is the number that the line should have.
func (c *chainBreak) classify(v *verifier, here, before *BadLine) *BadLine {
	want := v.next()
	switch {
	case !v.started:
		return withProblem(here, Changed, "the first line is not a line of this log")
	case c.hasAfter && c.after.seq == want && c.after.prev == v.leaf:
		return c.inserted(want, here)
	case c.ownErr != nil && c.hasAfter && c.after.seq > want+1:
		return withProblem(here, Changed, fmt.Sprintf("not a line of this log; records %d to %d are missing with it", want, c.after.seq-1))
	case c.ownErr != nil:
		return withProblem(here, Changed, "not a line of this log")
	case c.own.seq == want:
		return c.wrongLink(v, here, before)
	case c.own.prev == v.leaf:
		return withProblem(here, Changed, fmt.Sprintf("it follows the line before it, but its number is %d instead of %d", c.own.seq, want))
	case c.own.seq > want:
		return c.gap(want, here)
	}
	return c.duplicate(v, here, before)
}

// inserted is a line that stands between two lines that belong together: put there, or moved up from further down.
func (c *chainBreak) inserted(want int64, here *BadLine) *BadLine {
	if c.ownErr == nil && c.own.seq > want {
		_, _, found, further := c.find(c.own.seq)
		if !found && further {
			return withProblem(here, Reordered, fmt.Sprintf("record %d stands here, and is missing where it belongs", c.own.seq))
		}
	}
	return withProblem(here, Added, "the line after this one is the true follower of the line before it")
}

// find reads on until a line with the number, and tells whether any had a higher one.
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

// wrongLink is a line with the right number whose prev is not the hash of the line before it.
func (c *chainBreak) wrongLink(v *verifier, here, before *BadLine) *BadLine {
	intact := c.hasAfter && c.after.prev == tlog.RecordHash(c.line)
	switch {
	case before.Seq < v.covered:
		return withProblem(here, Changed, "it does not link to the line before it, which a signed checkpoint proves")
	case intact:
		return withProblem(before, Changed, "the line after it links to another content")
	}
	return withProblem(before, Changed, fmt.Sprintf("the line after it (%s:%d) links to another content; if this line is right, then that one was changed", here.File, here.Line))
}

// gap is a line whose number is too high: lines before it are missing, or stand further down.
func (c *chainBreak) gap(want int64, here *BadLine) *BadLine {
	if c.hasAfter && c.after.seq == want+1 && c.after.prev == tlog.RecordHash(c.line) {
		return withProblem(here, Changed, fmt.Sprintf("its number is %d instead of %d", c.own.seq, want))
	}
	if file, line, found, _ := c.find(want); found {
		return withProblem(here, Reordered, fmt.Sprintf("record %d stands here; record %d, which belongs here, stands at %s:%d", c.own.seq, want, file, line))
	}
	what := "lines"
	if c.first && c.own.kind == kindHeader {
		what = "a file or the end of the one before:"
	}
	return withProblem(here, Dropped, fmt.Sprintf("%s missing before it: records %d to %d", what, want, c.own.seq-1))
}

// duplicate is a line whose number was there already.
func (c *chainBreak) duplicate(v *verifier, here, before *BadLine) *BadLine {
	leaf := tlog.RecordHash(c.line)
	switch {
	case c.first && c.own.kind == kindHeader && c.own.seq == 0:
		return withProblem(here, Added, "a new log begins here, which does not go on from the one before")
	case leaf == v.leaf:
		return withProblem(here, Added, "it repeats the line before it")
	case c.own.seq == v.last.seq && c.own.prev == v.last.prev && c.hasAfter && c.after.prev == leaf && before.Seq >= v.covered:
		return withProblem(before, Added, "the line after it has the same number and is the one that the log went on from")
	case c.hasAfter && c.after.seq == v.next()+1:
		return withProblem(here, Changed, fmt.Sprintf("its number is %d instead of %d", c.own.seq, v.next()))
	}
	return withProblem(here, Added, fmt.Sprintf("record %d stood before already", c.own.seq))
}

func withProblem(b *BadLine, p Problem, detail string) *BadLine {
	b.Problem, b.Detail = p, detail
	return b
}
