package audit

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Problem is what is wrong with a line.
type Problem string

const (
	Changed       Problem = "changed"   // a line is not what was written
	Dropped       Problem = "dropped"   // lines or files are missing before this one
	Added         Problem = "added"     // the log did not write this line here
	Reordered     Problem = "reordered" // a line comes before one that was written earlier
	Rewritten     Problem = "rewritten" // the chain is unbroken, but a signed checkpoint contradicts it
	BadCheckpoint Problem = "bad checkpoint"
)

// BadLine is the first line that differs from what the log wrote, as far as
// Verify can tell. It unwraps to ErrTampered.
type BadLine struct {
	File    string  `json:"file"`
	Line    int64   `json:"line"`   // from 1
	Seq     int64   `json:"record"` // index of the line in the whole log, from 0
	Problem Problem `json:"problem"`
	Detail  string  `json:"detail"`
}

func (e *BadLine) Error() string {
	return fmt.Sprintf("%v: %s:%d: %s (record %d): %s", ErrTampered, e.File, e.Line, e.Problem, e.Seq, e.Detail)
}

// Unwrap returns ErrTampered.
func (e *BadLine) Unwrap() error { return ErrTampered }

// VerifyOptions configure Verify.
type VerifyOptions struct {
	// Verifiers are the public keys that sign checkpoints: all that were in use
	// while the files were written. Without any, Verify shows only that the
	// lines form an unbroken chain.
	Verifiers []note.Verifier
	// Known are checkpoints (signed notes) stored elsewhere, such as in a log
	// collector. The files must lead to the same roots and reach at least as
	// far. This shows if the end was cut off.
	Known [][]byte
	// All adds the renamed files beside each file, and what was set apart from
	// them as torn. They are listed again if the log rotates meanwhile.
	All bool
	// FromStart requires all records from the first one on, and MinSize that
	// many records, counted from the start of the log, in the files or before
	// them. The error is ErrIncomplete.
	FromStart bool
	MinSize   int64
	// Witnesses are the public keys of witnesses, whose cosignatures are verified.
	// Quorum requires cosignatures by that many of them. The error is
	// ErrIncomplete.
	Witnesses []note.Verifier
	Quorum    int
	// Progress is called from time to time with the bytes read and the total,
	// and once at the end.
	Progress func(done, total int64)
}

// Verify returns a *BadLine for the first line that is missing, changed or out
// of order, or a report if there is none. The files may come in any order. It
// skips lock files and torn lines (*.lock and *.torn-*). It needs only the
// files and the public keys.
func Verify(ctx context.Context, paths []string, o VerifyOptions) (Report, error) {
	files, err := openLogFiles(paths, o.All)
	if err != nil {
		return Report{}, err
	}
	defer files.close()
	v := &verifier{keys: o.Verifiers, witnesses: witnessed{keys: o.Witnesses}}
	r, err := v.verifyFiles(ctx, files, o, func(link, []byte) {})
	if err == nil {
		err = r.complete(o)
	}
	return r, err
}

// verifyFiles checks all lines and passes each good one to visit.
func (v *verifier) verifyFiles(ctx context.Context, files *fileSet, o VerifyOptions, visit func(link, []byte)) (Report, error) {
	known, err := openKnown(o.Known, o.Verifiers)
	if err != nil {
		return Report{}, err
	}
	r := files.read(ctx, o.Progress)
	places := fileStarts{}
	for {
		line, l, err := v.step(r, &places)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Report{}, err
		}
		if line == nil {
			continue // behind a gap
		}
		visit(l, line)
		if known, err = v.checkKnown(known, places); err != nil {
			return Report{}, err
		}
	}
	if len(places) == 0 && len(v.gaps) == 0 {
		return Report{}, fmt.Errorf("%w: %s has no line of a log; check the file name", ErrNoLog, strings.Join(files.names(), ", "))
	}
	if err := v.checkEnd(r, known, places); err != nil {
		return Report{}, err
	}
	if err := checkApart(files.apart); err != nil {
		return Report{}, err
	}
	report := v.report(places.files(), r.tornSize)
	report.Witnessed = v.witnesses.size(o.Quorum)
	report.Apart = len(files.apart)
	return report, nil
}

// step reads and checks the next line. It returns none where it crossed a gap.
func (v *verifier) step(r *logReader, places *fileStarts) ([]byte, link, error) {
	line, first, err := r.next()
	if errors.Is(err, io.EOF) {
		return nil, link{}, err
	}
	l, fault, behindGap := link{}, (*fault)(nil), !v.started
	if err == nil {
		l, fault = v.check(line, first)
	}
	if err == nil && fault == nil {
		if first || behindGap {
			places.add(r.name, r.line, l.seq)
		}
		return line, l, nil
	}
	line = bytes.Clone(line) // nil if it could not be read
	switch crossed, crossErr := v.cross(r, line, first); {
	case crossErr != nil:
		return nil, l, crossErr
	case crossed:
		return nil, l, nil
	case err != nil:
		return nil, l, v.readError(err, r)
	}
	if zeros, err := r.endsInZeros(line); err != nil || zeros {
		return nil, l, cmp.Or(err, io.EOF)
	}
	return nil, l, v.diagnose(fault, line, first, r, *places)
}

func (v *verifier) report(files int, torn int64) Report {
	root, _ := v.rootAt(v.next())
	r := Report{
		Files: files, First: v.firstSeq, Lines: v.next() - v.firstSeq, Size: v.next(), Root: root,
		Covered: v.covered, Unproven: v.next() - max(v.proven, v.firstSeq),
		Checkpoints: v.signed, Unverified: v.unverified, Recoveries: v.recoveries, Torn: torn,
		Gaps: v.gaps, Known: v.known, Acknowledgments: v.acknowledgments,
	}
	if v.signed > 0 {
		r.Newest = v.newest
	}
	return r
}

// openKnown reads the checkpoints stored elsewhere and sorts them by size.
func openKnown(notes [][]byte, verifiers []note.Verifier) ([]Checkpoint, error) {
	var list []Checkpoint
	for _, msg := range notes {
		c, signed, err := OpenCheckpoint(msg, verifiers)
		if err != nil {
			return nil, fmt.Errorf("known checkpoint: %w; use the output of \"assertd audit checkpoint\", or the anchor", err)
		}
		if !signed {
			return nil, fmt.Errorf("known checkpoint over %d lines: not signed by any of the given keys; add its key with --key", c.Size)
		}
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b Checkpoint) int { return cmp.Compare(a.Size, b.Size) })
	return list, nil
}

// checkKnown compares the tree with the known checkpoints up to its size and
// returns the rest.
func (v *verifier) checkKnown(known []Checkpoint, p fileStarts) ([]Checkpoint, error) {
	for len(known) > 0 && known[0].Size <= v.next() {
		c := known[0]
		if c.Size <= v.firstSeq {
			return nil, fmt.Errorf("known checkpoint over %d lines: the files start with record %d; add the earlier files",
				c.Size, v.firstSeq)
		}
		if root, _ := v.rootAt(c.Size); root != c.Root {
			return nil, v.rewritten(c.Size, p, fmt.Sprintf("a known checkpoint over %d lines has a different root", c.Size))
		}
		v.covered, v.proven, v.known = max(v.covered, c.Size), max(v.proven, c.Size), c.Size
		v.signed, known = v.signed+1, known[1:]
	}
	return known, nil
}

// readError turns the torn last line of a file into a bad line, because another
// file follows, and so is the place where a compressed file breaks off.
func (v *verifier) readError(err error, r *logReader) error {
	bad := &BadLine{File: r.name, Line: r.line, Seq: v.next()}
	switch {
	case errors.Is(err, errTorn):
		return bad.as(Changed, "the last line of the file has no newline")
	case isCorrupt(err):
		bad.Line++
		return bad.as(Changed, "the compressed file can't be read from here on; restore it from a copy: %v", err)
	}
	return err
}

// checkEnd checks what follows the last line, and the known checkpoints that no
// line reached.
func (v *verifier) checkEnd(r *logReader, known []Checkpoint, p fileStarts) error {
	if !v.isPartialNext(r.torn) {
		return &BadLine{File: r.name, Line: r.line + 1, Seq: v.next(), Problem: Added,
			Detail: "the file ends in bytes that are not the start of the next line"}
	}
	if len(known) == 0 {
		return nil
	}
	c := known[0]
	file, line := p.locate(v.next())
	return &BadLine{File: file, Line: line, Seq: v.next(), Problem: Dropped,
		Detail: fmt.Sprintf("the log ends here, but a known checkpoint covers %d lines; %d are missing",
			c.Size, c.Size-v.next())}
}
