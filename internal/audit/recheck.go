package audit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/assertd/assertd/internal/trustpath"
)

// recheck verifies, while the log is in use, what the start did not read: the
// lines before the newest checkpoint of the current file.
type recheck struct {
	file  *os.File // a descriptor of its own, which rotation leaves open
	end   int64    // of what to read
	point resumePoint
	first int64 // number of the file's first line
}

func newRecheck(f *file, p resumePoint) (*recheck, error) {
	own, err := trustpath.Regular(f.path)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return &recheck{file: own, end: p.offset, point: p}, nil
}

// created returns the time in the header of the file.
func (c *recheck) created() (time.Time, error) {
	line, err := bufio.NewReaderSize(io.NewSectionReader(c.file, 0, c.end), MaxRecord+1).ReadSlice('\n')
	if err != nil {
		return time.Time{}, fmt.Errorf("audit: read %s: %w", c.file.Name(), err)
	}
	h, _, err := parseHeader(bytes.TrimSuffix(line, []byte("\n")))
	c.first = h.Tree.Size
	if err != nil {
		return time.Time{}, damaged(c.file.Name(), "line 1: header: %v", err)
	}
	return h.Time, nil
}

func (c *recheck) close() {
	if c != nil {
		c.file.Close()
	}
}

// run reads the lines and returns what is wrong with them; ErrDamaged if it is
// not the reading itself. Signing goes on meanwhile, so it uses only half of
// one processor.
func (c *recheck) run(ctx context.Context) error {
	if c == nil {
		return nil
	}
	defer c.close()
	v := &verifier{}
	lines := bufio.NewReaderSize(io.NewSectionReader(c.file, 0, c.end), MaxRecord+1)
	for n, from := int64(1), time.Now(); ; n++ {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return c.compare(v)
		}
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
			return fmt.Errorf("audit: read %s: %w", c.file.Name(), err)
		}
		if _, fault := v.check(bytes.TrimSuffix(line, []byte("\n")), n == 1); fault != nil {
			return c.damaged("line %d, record %d: %s", n, v.next(), fault.detail)
		}
		const batch = 1 << 13 // about 25 ms
		if n%batch == 0 {
			if err := pause(ctx, time.Since(from)); err != nil {
				return err
			}
			from = time.Now()
		}
	}
}

// pause waits, unless ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// compare checks that the lines lead to where the start continued from.
func (c *recheck) compare(v *verifier) error {
	h := v.head()
	if h.tree.size == c.point.tree.size && h.tree.root() == c.point.tree.root() && h.prev == c.point.line.prev {
		return nil
	}
	return c.damaged("%s are not those that the newest checkpoint covers", records(v.firstSeq, h.tree.size-1))
}

func (c *recheck) damaged(format string, args ...any) error {
	return &DamagedError{File: c.file.Name(), Detail: fmt.Sprintf(format, args...), first: c.first}
}

// foundDamage is what a recovery line says if recheck found damage. The log
// stops there: no later start continues from it.
const foundDamage = "damage found"

// startRecheck does in the background what the start left out.
func (l *Log) startRecheck(ctx context.Context) {
	if l.w.recheck == nil && l.w.trail == nil {
		close(l.rechecked)
		return
	}
	go func() {
		defer close(l.rechecked)
		l.endRecheck(ctx, errors.Join(l.w.recheck.run(ctx), l.w.trail.run(ctx)))
	}()
}

// endRecheck stops the log if the error says so.
func (l *Log) endRecheck(ctx context.Context, err error) {
	err = locateDamage(l.opts.File, err)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unchecked = err != nil
	var rolledBack *RolledBackError
	if err == nil {
		l.w.anchor.release()
	}
	if errors.As(err, &rolledBack) {
		l.RollBack(rolledBack)
	}
	switch {
	case errors.Is(err, ErrDamaged):
		l.damage = err
		l.damaged <- err
	case err != nil && rolledBack == nil && ctx.Err() == nil:
		l.opts.Logger.Error("can't read the audit log to verify it; run \"assertd audit verify\"", "error", err)
	}
}

// stopForDamage records the damage, so that no later start continues, and
// leaves the log as it is.
func (w *writer) stopForDamage(err error) {
	w.damaged = true
	line := recovery{Time: w.opts.Clock().UTC(), What: foundDamage, Detail: err.Error()}
	if d := (*DamagedError)(nil); errors.As(err, &d) {
		line.Detail, line.Damaged = d.Detail, &d.first
	}
	w.queued = append(w.queued, line.body())
	w.opts.Logger.Error("audit log: "+foundDamage, "file", w.file.path, "error", err)
	_ = w.write(nil) // if this fails, the next start finds the damage again
}

// rechecking reports whether recheck still reads. The file is not renamed
// meanwhile: the next start would not read it again.
func (w *writer) rechecking() bool { return w.recheck != nil && !isClosed(w.rechecked) }

// zeroHash stands for a line whose hash is lost.
var zeroHash tlog.Hash
