package audit

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Position is a place between two lines of a log.
type Position struct {
	Next int64     `json:"next"` // number of the next line
	Last tlog.Hash `json:"last"` // leaf hash of the line before; zero if unknown
}

// Line is a line of the log as a Follower reads it.
type Line struct {
	Text    []byte    // without its newline
	Seq     int64     // its number
	Kind    string    // such as "assertion"
	Time    time.Time // zero if the line has none
	Missing int64     // lines right before this one that no file has any more, or that can't be read
	After   Position
}

// ErrDiverged means that the line at a Follower's position does not continue
// the one before it: the log was rolled back or replaced since.
var ErrDiverged = errors.New("audit: the log does not continue what was read before")

// Follower reads the lines of a log in order, from the file that is being
// written and from those that were renamed. It opens files itself and never
// makes the writer wait. It is not safe for concurrent use.
type Follower struct {
	path    string
	at      Position
	resumed bool // at comes from elsewhere; the next line must continue it
	suspect bool // the next line was in no file at the last look

	file   logFile
	until  int64 // number of the first line of the next file
	offset int64 // after the last line that was taken, in an uncompressed file
	lines  *bufio.Reader
}

// Oldest is the position before the oldest line that the files have.
func Oldest() Position { return Position{Next: -1} }

// Follow reads the log at path from a position.
func Follow(path string, at Position) *Follower {
	return &Follower{path: path, at: at, resumed: at.Last != tlog.Hash{}}
}

// Close closes the file that is being read.
func (f *Follower) Close() {
	if f.file.File != nil {
		f.file.Close()
	}
	f.file, f.lines = logFile{}, nil
}

// Next returns the next line with a number below limit, which must not exceed
// Status.Durable: a line behind it may still be cut off. It returns io.EOF if
// there is none yet, and ErrDiverged if the log is not the one that the
// position is from.
func (f *Follower) Next(limit int64) (Line, error) {
	if limit > 0 && f.at.Next > limit {
		return Line{}, ErrDiverged
	}
	for f.at.Next < limit {
		if f.lines == nil {
			if err := f.locate(limit); err != nil {
				return Line{}, f.rewind(err)
			}
		}
		raw, err := f.lines.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			f.lines = nil // the end of the file, or one that can't be read on
			continue
		}
		text, complete := bytes.CutSuffix(raw, []byte("\n"))
		l, bad := parseLink(text)
		switch {
		case !complete || bad != nil || l.seq < f.at.Next:
			f.offset += int64(len(raw))
		case l.seq >= limit:
			return Line{}, f.rewind(io.EOF)
		case l.seq >= f.until:
			f.lines = nil
		default:
			f.offset += int64(len(raw))
			return f.take(text, l)
		}
	}
	return Line{}, f.rewind(io.EOF)
}

// take makes a line of the log the current one.
func (f *Follower) take(text []byte, l link) (Line, error) {
	if f.resumed && l.seq == f.at.Next && l.prev != f.at.Last {
		f.lines = nil
		return Line{}, ErrDiverged
	}
	line := Line{Text: bytes.Clone(text), Seq: l.seq, Kind: l.kind, Time: lineTime(text), Missing: l.seq - f.at.Next}
	f.resumed, f.suspect = false, false
	f.at = Position{Next: l.seq + 1, Last: tlog.RecordHash(text)}
	line.After = f.at
	return line, nil
}

// rewind goes back behind the last line that was taken, and returns err. What
// was read ahead is forgotten, since the writer may still replace it.
func (f *Follower) rewind(err error) error {
	if f.file.File == nil || isCompressed(f.file.Name()) {
		return err
	}
	if _, failed := f.file.Seek(f.offset, io.SeekStart); failed != nil {
		return failed
	}
	f.lines = bufio.NewReaderSize(f.file, MaxRecord+1)
	return err
}

// locate opens the file that has the next line, or the first one behind it. It
// believes that lines are missing only if they are at two looks in a row: a
// file may be about to be renamed or compressed.
func (f *Follower) locate(limit int64) error {
	set, err := openWhole(f.path)
	if err != nil {
		return err
	}
	defer set.close()
	i := set.holding(f.at.Next, f.file.File)
	if i < 0 || set.files[i].seq >= limit {
		return io.EOF
	}
	chosen := set.files[i]
	if f.at == Oldest() {
		f.at.Next = chosen.seq
	}
	if chosen.seq > f.at.Next && !f.suspect {
		f.suspect = true
		return io.EOF
	}
	lines, err := chosen.lines()
	if err != nil {
		return err
	}
	f.Close()
	f.file, f.lines, f.offset, f.until = chosen, lines, 0, noSeq
	if i+1 < len(set.files) {
		f.until = set.files[i+1].seq
	}
	set.files[i].File = nil // ours now
	return nil
}

// holding returns the index of the file with line next: the last one that
// starts at or before it. If there is none, or it was read to its end already,
// that is the first one behind line next, or -1 for none.
func (s *fileSet) holding(next int64, read *os.File) int {
	behind := slices.IndexFunc(s.files, func(f logFile) bool { return f.seq > next })
	last := behind - 1
	if behind < 0 {
		last = len(s.files) - 1
	}
	if last >= 0 && (read == nil || !sameFile(s.files[last].File, read)) {
		return last
	}
	if behind >= 0 && s.files[behind].seq == noSeq {
		return -1
	}
	return behind
}

func sameFile(a, b *os.File) bool {
	one, err1 := a.Stat()
	other, err2 := b.Stat()
	return err1 == nil && err2 == nil && os.SameFile(one, other)
}

// lineTime returns the time of a line, which is the member after its link.
func lineTime(line []byte) time.Time {
	const member = `,"time":"`
	_, rest, ok := bytes.Cut(line, []byte(member))
	if !ok {
		return time.Time{}
	}
	text, _, _ := bytes.Cut(rest, []byte(`"`))
	t, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		return time.Time{}
	}
	return t
}
