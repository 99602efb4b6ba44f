package audit

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Problem is what is wrong with a line.
type Problem string

const (
	Changed       Problem = "changed"   // a line is not what was written
	Dropped       Problem = "dropped"   // lines or files are missing before this place
	Added         Problem = "added"     // a line stands here that the log did not write here
	Reordered     Problem = "reordered" // a line stands before one that was written earlier
	Rewritten     Problem = "rewritten" // lines follow one another, but a signed checkpoint contradicts them
	BadCheckpoint Problem = "bad checkpoint"
)

// BadLine names the first line that is not as the log wrote it, as far as that can be told. It unwraps to ErrTampered.
type BadLine struct {
	File    string
	Line    int64 // from 1
	Seq     int64 // the line's place in the whole series, from 0
	Problem Problem
	Detail  string
}

func (e *BadLine) Error() string {
	return fmt.Sprintf("%v: %s:%d: %s (record %d): %s", ErrTampered, e.File, e.Line, e.Problem, e.Seq, e.Detail)
}

// Unwrap makes a BadLine an ErrTampered.
func (e *BadLine) Unwrap() error { return ErrTampered }

// VerifyOptions say what to hold the files against.
type VerifyOptions struct {
	// Verifiers are the public keys that sign checkpoints, all that were in use over the time of the files. Without any,
	// Verify shows only that the lines follow one another.
	Verifiers []note.Verifier
	// Known are checkpoints (signed notes) that were kept elsewhere, such as in a log collector. The files must lead to
	// the same roots and reach as far: this finds an end that was cut off.
	Known [][]byte
	// Progress is called now and then with the bytes read and their total, and once at the end.
	Progress func(done, total int64)
}

// Report is what Verify has shown.
type Report struct {
	Files       int
	First       int64     // number of the first line; not 0 if the series was given from its middle
	Lines       int64     // lines looked at
	Size        int64     // size of the tree at the end
	Root        tlog.Hash // its root
	Covered     int64     // size that the newest verified checkpoint (in the files or known) covers
	Unproven    int64     // lines at the end that no verified checkpoint covers, not counting the checkpoint's own
	Checkpoints int       // checkpoints with a verified signature
	Unverified  int       // checkpoints by keys that were not given
	Recoveries  int       // lines in which the log told of an outage, a torn line, a file changed by others
	Torn        int64     // bytes of a last line without end: one being written, or torn by the end of the process
	Newest      []byte    // the newest verified checkpoint that stands in the files, to keep elsewhere and give as Known later; nil without one
}

// Summary says in a sentence what was shown and what was not.
func (r Report) Summary() string {
	switch {
	case r.Checkpoints == 0:
		return fmt.Sprintf("%d lines follow one another, but no checkpoint signature was verified: "+
			"whoever could write the files could have rewritten them all", r.Lines)
	case r.Unproven > 0:
		return fmt.Sprintf("%d lines are whole and in order; signed checkpoints prove all but the last %d, "+
			"which whoever could write the files could have changed, added or cut off", r.Lines, r.Unproven)
	}
	return fmt.Sprintf("%d lines are whole and in order, proven by signed checkpoints", r.Lines)
}

// Verify proves that the files hold a series of lines whole and in order, or returns a *BadLine for the first one that is
// not. The files may come in any order; locks and torn lines among them (the log's *.lock and *.torn-*) are passed over. It needs nothing but the files and the public keys.
func Verify(ctx context.Context, files []string, o VerifyOptions) (Report, error) {
	v := &verifier{keys: o.Verifiers}
	return v.verifyFiles(ctx, files, o, func(link, []byte) {})
}

// verifyFiles checks all lines and shows each good one to visit.
func (v *verifier) verifyFiles(ctx context.Context, files []string, o VerifyOptions, visit func(link, []byte)) (Report, error) {
	known, err := openKnown(o.Known, o.Verifiers)
	if err != nil {
		return Report{}, err
	}
	r, err := openLogReader(ctx, files, o.Progress)
	if err != nil {
		return Report{}, err
	}
	defer r.close()
	places := fileStarts{}
	for {
		line, first, err := r.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Report{}, v.readError(err, r)
		}
		l, fault := v.check(line, first)
		if fault != nil {
			return Report{}, v.diagnose(fault, bytes.Clone(line), first, r, places)
		}
		if first {
			places.add(r.name, l.seq)
		}
		visit(l, line)
		if known, err = v.checkKnown(known, places); err != nil {
			return Report{}, err
		}
	}
	if err := v.checkEnd(r, known, places); err != nil {
		return Report{}, err
	}
	return v.report(len(places), int64(len(r.torn))), nil
}

func (v *verifier) report(files int, torn int64) Report {
	root, _ := v.rootAt(v.next())
	r := Report{
		Files: files, First: v.firstSeq, Lines: v.next() - v.firstSeq, Size: v.next(), Root: root,
		Covered: v.covered, Unproven: v.next() - max(v.proven, v.firstSeq), Checkpoints: v.signed, Unverified: v.unverified, Recoveries: v.recoveries, Torn: torn,
	}
	if v.signed > 0 {
		r.Newest = v.newest
	}
	return r
}

// openKnown reads the checkpoints that were kept elsewhere, the smallest first.
func openKnown(notes [][]byte, verifiers []note.Verifier) ([]Checkpoint, error) {
	var list []Checkpoint
	for _, msg := range notes {
		c, signed, err := OpenCheckpoint(msg, verifiers)
		if err != nil {
			return nil, fmt.Errorf("known checkpoint: %w", err)
		}
		if !signed {
			return nil, fmt.Errorf("known checkpoint over %d lines: none of the given keys signed it", c.Size)
		}
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b Checkpoint) int { return cmp.Compare(a.Size, b.Size) })
	return list, nil
}

// checkKnown compares the tree with the known checkpoints of its size and returns those that are still to come.
func (v *verifier) checkKnown(known []Checkpoint, p fileStarts) ([]Checkpoint, error) {
	for len(known) > 0 && known[0].Size <= v.next() {
		c := known[0]
		if c.Size <= v.firstSeq {
			return nil, fmt.Errorf("known checkpoint over %d lines: the files begin with record %d: give the earlier ones too", c.Size, v.firstSeq)
		}
		if root, _ := v.rootAt(c.Size); root != c.Root {
			return nil, v.rewritten(c.Size, p, fmt.Sprintf("a checkpoint over %d lines that was kept elsewhere has another root", c.Size))
		}
		v.covered, v.proven = max(v.covered, c.Size), max(v.proven, c.Size)
		v.signed, known = v.signed+1, known[1:]
	}
	return known, nil
}

// readError makes a file whose last line is torn, though another file follows, a bad line.
func (v *verifier) readError(err error, r *logReader) error {
	if !errors.Is(err, errTorn) {
		return err
	}
	return &BadLine{File: r.name, Line: r.line, Seq: v.next(), Problem: Changed, Detail: "the last line of the file has no end"}
}

// checkEnd looks at what stands behind the last line, and at the known checkpoints that no line led up to.
func (v *verifier) checkEnd(r *logReader, known []Checkpoint, p fileStarts) error {
	if !v.isPartialNext(r.torn) {
		return &BadLine{File: r.name, Line: r.line + 1, Seq: v.next(), Problem: Added,
			Detail: "the file ends in something that is not the beginning of the next line"}
	}
	if len(known) == 0 {
		return nil
	}
	c := known[0]
	file, line := p.locate(v.next())
	return &BadLine{File: file, Line: line, Seq: v.next(), Problem: Dropped,
		Detail: fmt.Sprintf("the log ends here, but a checkpoint that was kept elsewhere covers %d lines: %d are missing", c.Size, c.Size-v.next())}
}
