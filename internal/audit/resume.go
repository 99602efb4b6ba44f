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

// tail is the end of the log as one file shows it.
type tail struct {
	head          head
	goodEnd       int64 // offset after the last good line
	created       time.Time
	hasRecords    bool
	covered       int64
	checkpointEnd int64
}

// resume finds the end of the log: in the current file or, if that is missing
// or empty, in the newest renamed file. That one file has everything needed,
// because its header holds the edge of the tree. So there is no second file
// that kill -9 could leave out of step.
func resume(o *Options) (*writer, error) {
	f, err := openFile(o.File, o.Mode, false)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = openFile(o.File, o.Mode, true)
	}
	if err != nil {
		return nil, openError(err)
	}
	w, err := resumeFile(o, f)
	if err != nil {
		f.f.Close()
	}
	return w, err
}

// openError leaves errors that already say what to do as they are.
func openError(err error) error {
	if errors.Is(err, ErrUnsafe) {
		return err
	}
	return fmt.Errorf("audit: open the log: %w; check that its directory exists and the daemon can write to it", err)
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
	return w, w.reportTorn(f.path)
}

// readTail reads the lines of a file to its end. torn reports that the rest
// after the last good line is what a sudden end of the process or the machine
// leaves: a line without a newline, or one with zero bytes in it. Anything else
// is ErrDamaged.
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
			return t, false, fmt.Errorf("%w: %s: line %d: %s; "+
				"run \"assertd audit verify\", move the file away as evidence, then start again",
				ErrDamaged, path, n, fault.detail)
		}
		t.observe(v, l, body, int64(len(line)))
	}
}

// observe records what the writer must know about a good line.
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

// head is where the next line goes.
func (v *verifier) head() head {
	t, _ := v.treeAt(v.next())
	return head{tree: t, prev: v.leaf}
}

// resumeFromPredecessor takes the end of the log from the previous file, which
// rotation or logrotate renamed, if the process ended before the next file had
// its header. If there is none, a new log starts.
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
		return fmt.Errorf("audit: continue from %s: %w", path, err)
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
	return w.reportTorn(path)
}

// resumeFromCompressed continues from a file that logrotate compressed while no
// daemon was running. Continuing from an older file, or starting over, would
// use numbers twice.
func (w *writer) resumeFromCompressed(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("audit: continue from %s: %w", path, err)
	}
	defer f.Close()
	content, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("audit: continue from %s: %w", path, err)
	}
	t, torn, err := readTail(path, content)
	if err == nil && torn {
		err = fmt.Errorf("audit: continue from %s: its last line is torn; uncompress it with gunzip, then start again", path)
	}
	w.head = t.head
	return err
}

// predecessor returns the newest of the files that were renamed from path, or
// "" if there are none.
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
