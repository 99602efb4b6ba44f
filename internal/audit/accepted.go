package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/assertd/assertd/internal/trustpath"
)

// acceptedFile is a damaged file that a person accepted as it is. A recovery
// line right after the header of the next file has it.
type acceptedFile struct {
	File   string `json:"file"` // without its directory
	SHA256 string `json:"sha256"`
	First  int64  `json:"first"`  // number of the file's first line
	Good   int64  `json:"good"`   // number of the first damaged line
	Next   int64  `json:"next"`   // number of the first line after the file
	Reason string `json:"reason"` // the person's words
}

// acceptance returns the recovery line with which a file continues a damaged
// one; nil for other files.
func (f logFile) acceptance() (*recovery, error) {
	if f.seq == noSeq {
		return nil, nil
	}
	lines, err := f.lines()
	if err != nil {
		return nil, err
	}
	if _, err := lines.ReadSlice('\n'); err != nil {
		return nil, fmt.Errorf("audit: read %s: %w", f.Name(), err)
	}
	line, err := lines.ReadSlice('\n')
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, nil
	}
	return acceptanceIn(bytes.TrimSuffix(line, []byte("\n"))), nil
}

// acceptanceIn returns the recovery line that says that a person accepted
// damage; nil for another line.
func acceptanceIn(line []byte) *recovery {
	if l, err := parseLink(line); err != nil || l.kind != kindRecovery {
		return nil
	}
	var r recovery
	if json.Unmarshal(line, &r) != nil || r.Accepted == nil {
		return nil
	}
	return &r
}

// accepted reports whether a person accepted that a file is damaged.
func (s *fileSet) accepted(f logFile) bool { _, line := s.acceptanceOf(f); return line != nil }

// acceptanceOf returns the file that continues a damaged one, and where it says
// so.
func (s *fileSet) acceptanceOf(f logFile) (logFile, *recovery) {
	return s.acceptance(f, func(a *acceptedFile) bool { return a.names(f) })
}

// acceptance returns the first acceptance that is wanted, and the file that has
// it. It skips the file that is being read.
func (s *fileSet) acceptance(reading logFile, wanted func(*acceptedFile) bool) (logFile, *recovery) {
	for _, next := range s.files {
		if next.File == reading.File {
			continue
		}
		if line, err := next.acceptance(); err == nil && line != nil && wanted(line.Accepted) {
			return next, line
		}
	}
	return logFile{}, nil
}

// names reports whether a file is the one that was accepted. It may have been
// compressed since.
func (a *acceptedFile) names(f logFile) bool {
	base := filepath.Base(f.Name())
	return base == a.File || base == a.File+".gz"
}

// unchanged checks that the accepted file is still what it was.
func (a *acceptedFile) unchanged(f logFile) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	var content io.Reader = f
	if filepath.Base(f.Name()) != a.File {
		lines, err := f.lines()
		if err != nil {
			return err
		}
		content = lines
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, content); err != nil {
		return fmt.Errorf("audit: read %s: %w", f.Name(), err)
	}
	if hex.EncodeToString(sum.Sum(nil)) == a.SHA256 {
		return nil
	}
	return &BadLine{File: f.Name(), Line: 1, Seq: a.Good, Problem: Changed,
		Detail: "a person accepted this file as damaged, and it was changed after that"}
}

// cross continues behind damage that a person accepted: it takes the reader to
// the file that continues the damaged one. It reports false if nobody accepted
// the damage that the reader is at.
func (v *verifier) cross(r *logReader, line []byte, firstOfFile bool) (bool, error) {
	if r.file.seq == noSeq {
		return v.crossLast(r)
	}
	crossed, err := v.crossToNext(r)
	if crossed || err != nil || !v.started && len(v.gaps) > 0 { // the header behind a gap is bad
		return crossed, err
	}
	if firstOfFile {
		crossed, err = v.crossHere(r)
	}
	if !crossed && err == nil && line != nil {
		crossed, err = v.crossWithin(r, line)
	}
	return crossed, err
}

// crossToNext is for damage in a file that another one follows. The one that
// says so may come later: the file had been renamed when its damage was found.
func (v *verifier) crossToNext(r *logReader) (bool, error) {
	if len(r.remaining) == 0 {
		return false, nil
	}
	next := r.remaining[0]
	_, line := r.set.acceptanceOf(r.file)
	if line == nil || next.seq < v.next() || next.seq == noSeq {
		return false, nil
	}
	if err := line.Accepted.unchanged(r.file); err != nil {
		return false, err
	}
	v.leap(line.gap(v.next(), next.seq-1), true)
	r.skip()
	return true, nil
}

// crossHere is for a file whose damaged predecessor was moved away, but not
// other files before that.
func (v *verifier) crossHere(r *logReader) (bool, error) {
	line, err := r.file.acceptance()
	if err == nil && line == nil {
		_, line = r.set.acceptance(r.file, func(a *acceptedFile) bool { return a.Next == r.file.seq })
	}
	r.again() // acceptance moved in the file
	if err == nil && line != nil && r.file.seq > v.next() && v.next() >= line.Accepted.First {
		v.leap(line.gap(v.next(), r.file.seq-1), false)
		return true, nil
	}
	_, _, errAgain := r.next()
	return false, errors.Join(err, errAgain)
}

// crossWithin is for the lines of several files in one, as a receiver stored
// them. The damaged file is not there, but the line that accepted it is.
func (v *verifier) crossWithin(r *logReader, line []byte) (bool, error) {
	at := r.line
	for ok := true; ok; {
		l, err := parseLink(line)
		starts := err == nil && l.kind == kindHeader && l.seq >= v.next()
		if line, ok = r.within(); !ok || !starts {
			continue
		}
		if a := acceptanceIn(line); a != nil && a.Accepted.Good <= v.next() {
			first := v.next()
			if first == l.seq { // the receiver has all lines, but the log's tree is another one
				first = a.Accepted.Good
			}
			v.leap(a.gap(first, l.seq-1), false)
			return true, r.rewind(r.line - 2)
		}
	}
	return false, r.rewind(at)
}

// leap leaves a gap. The next header says how the tree goes on. The hash of the
// damaged file proves the lines before the gap that no checkpoint covers.
func (v *verifier) leap(g Gap, withFile bool) {
	g.Unproven = g.First
	if !withFile {
		g.Unproven = min(g.First, max(v.proven, v.firstSeq))
	}
	v.gaps, v.started = append(v.gaps, g), false
}

// crossLast is for a file without a readable first line. These come last, so
// the file that continues it has been read.
func (v *verifier) crossLast(r *logReader) (bool, error) {
	next, line := r.set.acceptanceOf(r.file)
	if line == nil {
		return false, nil
	}
	if err := line.Accepted.unchanged(r.file); err != nil {
		return false, err
	}
	known := slices.ContainsFunc(v.gaps, func(g Gap) bool { return g.File == line.Accepted.File })
	if !known {
		v.gaps = append(v.gaps, line.gap(line.Accepted.Good, next.seq-1))
	}
	r.skip()
	return true, nil
}

func (r *recovery) gap(first, last int64) Gap {
	return Gap{Unproven: first, First: first, Last: last, File: r.Accepted.File, Time: r.Time, Reason: r.Accepted.Reason}
}

// checkApart looks into the files that were set apart as torn. A line of a log
// in one of them was not torn.
func checkApart(names []string) error {
	for _, name := range names {
		f, err := trustpath.Regular(name)
		if err != nil {
			return err
		}
		found, err := linesBehind(f, 0)
		f.Close()
		if err != nil {
			return fmt.Errorf("audit: read %s: %w", name, err)
		}
		if found.lines > 0 {
			return &BadLine{File: name, Line: 1, Seq: found.first, Problem: Dropped, Detail: fmt.Sprintf(
				"this file was set apart as a torn line, but has %d whole lines, %s: they were cut off the log",
				found.lines, strings.TrimSpace(records(found.first, found.last)))}
		}
	}
	return nil
}
