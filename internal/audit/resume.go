package audit

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/assertd/assertd/internal/atomicfile"
)

// tail is what a file says about the end of the log.
type tail struct {
	head          head
	goodEnd       int64 // bytes up to the end of the last good line
	created       time.Time
	hasRecords    bool
	covered       int64
	checkpointEnd int64
}

// resume finds the end of the log: of the current file, or, where that is missing or empty, of the newest file that was
// moved away. Everything that is needed stands in that one file, because its header holds the tree's edge; so there is no
// second file that kill -9 could leave out of step.
func resume(o *Options) (*writer, error) {
	f, err := openFile(o.File, o.Mode, false)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = openFile(o.File, o.Mode, true)
	}
	if err != nil {
		return nil, openError(o.File, err)
	}
	w, err := resumeFile(o, f)
	if err != nil {
		f.f.Close()
	}
	return w, err
}

// openError leaves errors that say what to do as they are.
func openError(path string, err error) error {
	if errors.Is(err, ErrUnsafe) {
		return err
	}
	return fmt.Errorf("audit: can't open the log (does its directory exist and may the daemon write there?): %w", err)
}

func resumeFile(o *Options, f *file) (*writer, error) {
	t, torn, err := readTail(f.path, io.NewSectionReader(f.f, 0, f.end))
	if err != nil {
		return nil, err
	}
	w := newWriter(o, f, t.head)
	if t.goodEnd > 0 {
		w.created, w.hasRecords, w.covered, w.checkpointEnd = t.created, t.hasRecords, t.covered, t.checkpointEnd
	} else if err := errors.Join(w.resumeFromPredecessor(), atomicfile.SyncDir(filepath.Dir(o.File))); err != nil {
		return nil, err
	}
	if torn {
		if err := w.moveTorn(f, t.goodEnd); err != nil {
			return nil, err
		}
	}
	return w, w.noteTorn(f.path)
}

// readTail follows the lines of a file to its end. torn reports that what comes after the last good line is what the sudden
// end of a process or a machine leaves: a line without its end, or one with zero bytes in it. Anything else is ErrDamaged.
func readTail(path string, content io.Reader) (t tail, torn bool, err error) {
	v := &verifier{}
	lines := bufio.NewReaderSize(content, MaxRecord+1)
	for n := int64(1); ; n++ {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			t.head = v.head()
			return t, len(line) > 0, nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return t, false, fmt.Errorf("audit: read %s: %w", path, err)
		}
		body := bytes.TrimSuffix(line, []byte("\n"))
		l, fault := v.check(body, n == 1)
		if fault != nil && bytes.IndexByte(body, 0) >= 0 {
			t.head = v.head()
			return t, true, nil
		}
		if fault != nil {
			return t, false, fmt.Errorf("%w: %s: line %d: %s: run assertd audit verify, keep the file apart as evidence, then start again",
				ErrDamaged, path, n, fault.detail)
		}
		t.observe(v, l, body, int64(len(line)))
	}
}

// observe notes what the writer must know of a good line.
func (t *tail) observe(v *verifier, l link, body []byte, size int64) {
	t.goodEnd += size
	switch l.kind {
	case kindHeader:
		if h, _, err := parseHeader(body); err == nil {
			t.created = h.Time
		}
	case kindCheckpoint:
		if c, err := parseCheckpointLine(body); err == nil {
			t.covered, t.checkpointEnd = c.Size, c.Size+1
		}
	case kindRecovery:
	default:
		t.hasRecords = true
	}
}

// head is the place for the next line.
func (v *verifier) head() head {
	t, _ := v.treeAt(v.next())
	return head{tree: t, prev: v.leaf}
}

// resumeFromPredecessor takes the end of the log over from the file before, which was moved away, by rotation or by logrotate, when the
// process ended before the next file had its header. Without any, a new log begins.
func (w *writer) resumeFromPredecessor() error {
	path, err := predecessor(w.file.path)
	if err != nil || path == "" {
		return err
	}
	if isCompressed(path) {
		return w.resumeFromCompressed(path)
	}
	f, err := openFile(path, 0, false)
	if err != nil {
		return fmt.Errorf("audit: the log must go on from %s: %w", path, err)
	}
	defer f.f.Close()
	t, torn, err := readTail(path, io.NewSectionReader(f.f, 0, f.end))
	if err != nil {
		return err
	}
	w.head = t.head
	if torn {
		if err := w.moveTorn(f, t.goodEnd); err != nil {
			return err
		}
	}
	return w.noteTorn(path)
}

// resumeFromCompressed goes on from a file that logrotate compressed while no daemon ran. To go on from an older one, or to begin
// anew, would give numbers twice.
func (w *writer) resumeFromCompressed(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("audit: the log must go on from %s: %w", path, err)
	}
	defer f.Close()
	content, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("audit: the log must go on from %s: %w", path, err)
	}
	t, torn, err := readTail(path, content)
	if err == nil && torn {
		err = fmt.Errorf("audit: the log must go on from %s, whose last line is torn: unpack it with gunzip, then start again", path)
	}
	w.head = t.head
	return err
}

// predecessor is the newest of the files that were moved away from path, "" for none.
func predecessor(path string) (string, error) {
	list, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return "", fmt.Errorf("audit: %w", err)
	}
	best, bestSeq := "", int64(-1)
	for _, e := range list {
		if !isArchive(filepath.Base(path), e.Name()) || !e.Type().IsRegular() {
			continue
		}
		name := filepath.Join(filepath.Dir(path), e.Name())
		if seq, _, err := firstSeq(name); err == nil && seq != noSeq && seq > bestSeq {
			best, bestSeq = name, seq
		}
	}
	return best, nil
}
