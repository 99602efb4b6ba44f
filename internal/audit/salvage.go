package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/tlog"
)

// salvaged is what is left of a damaged file.
type salvaged struct {
	first int64 // number of the first line
	good  int64 // number of the first damaged line
	lines int64 // that are left
	head  head  // where the log goes on, after every number that was used
	tail  tail  // what the good lines carry on
}

// maxLost limits how many lines in a row can be lost. More is not a gap but a
// line that someone made up.
const maxLost = 1 << 26

// salvage reads all of a damaged file. Each line has the hash of the one before
// it, so the tree goes on exactly behind a single bad line. Behind several, a
// zero hash stands for each lost one: their true hashes are lost, but no number
// is used twice, and checkpoints from before the damage still hold.
//
// start is the end of the file before, for a file whose header is damaged. The
// error is not nil if the content can't be read to its end.
func salvage(content io.Reader, start head) (salvaged, error) {
	v, t := &verifier{}, tail{}
	lines := bufio.NewReaderSize(content, MaxRecord+1)
	var s *salvager
	for {
		line, err := lines.ReadSlice('\n')
		body, complete := bytes.CutSuffix(line, []byte("\n"))
		if complete && s == nil {
			if l, fault := v.check(body, !v.started); fault != nil {
				s = newSalvager(v, start)
			} else {
				t.observe(v, l, body, 0)
			}
		}
		if complete && s != nil {
			for piece := range bytes.SplitSeq(body, []byte{0}) { // a lost newline can be a zero byte
				s.take(piece)
			}
		}
		if err == nil || errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
		if s == nil {
			s = newSalvager(v, start)
		}
		t.acknowledged = max(t.acknowledged, s.tail.acknowledged)
		first := v.firstSeq
		if !v.started { // its header is damaged
			first = start.tree.size
		}
		return salvaged{first: first, good: s.good, lines: s.lines + v.next() - v.firstSeq, head: s.head, tail: t}, err
	}
}

// salvager continues a tree behind damage.
type salvager struct {
	before tree // without the last leaf
	tail   tail
	head   head
	good   int64
	lines  int64
}

func newSalvager(v *verifier, start head) *salvager {
	if !v.started {
		return &salvager{before: start.tree, head: start, good: start.tree.size}
	}
	before, _ := v.treeAt(max(v.next()-1, v.base.tree.size))
	return &salvager{before: before, head: v.head(), good: v.next()}
}

// take adds a line, and stand-ins for those that are missing before it.
func (s *salvager) take(line []byte) {
	l, err := parseLink(line)
	if err != nil || l.seq < s.head.tree.size || l.seq-s.head.tree.size > maxLost {
		return
	}
	if l.seq == s.head.tree.size && l.prev != s.head.prev && s.before.size < s.head.tree.size {
		s.head.tree = s.before // the line before was changed; this one has its true hash
	}
	for s.head.tree.size < l.seq-1 {
		s.head.add(zeroHash)
	}
	if s.head.tree.size < l.seq {
		s.head.add(l.prev)
	}
	s.before, s.lines = s.head.tree, s.lines+1
	v := &verifier{}
	s.tail.observe(v, l, line, 0)
	if v.base.pins != nil { // a proof from one of them shows whether the tree is still the same
		s.head.pins = v.base.pins
	}
	s.head.prev = tlog.RecordHash(line)
	s.head.add(s.head.prev)
}

// skipTo moves the end of the log to a number that a person gave, for a file
// that can't be read to its end.
func (s *salvaged) skipTo(next int64) error {
	switch lost := next - s.head.tree.size; {
	case lost < 0:
		return fmt.Errorf("audit: record %d is in the file, so the next number can't be %d; leave out --next, or give a higher number", s.head.tree.size-1, next)
	case lost > maxLost:
		return fmt.Errorf("audit: %d is %d records further than the file goes, and the maximum is %d; check the number", next, lost, maxLost)
	}
	for s.head.tree.size < next {
		s.head.add(zeroHash)
		s.head.prev = zeroHash
	}
	return nil
}
