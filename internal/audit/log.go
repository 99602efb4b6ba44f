package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Log is an open audit log. Run and those who append write; Append, Reopen and Status may be called from any goroutine.
type Log struct {
	opts Options
	lock *os.File

	wake    chan struct{}   // pending is not empty
	reopens chan chan error // requests of Reopen
	stopped chan struct{}   // Run has ended

	entries sync.Pool // of entries for newEntry; one per log, so that tests can put a log in a synctest bubble

	mu      sync.Mutex
	pending []*entry
	state   state
	status  Status

	writing sync.Mutex // held by whoever writes; taken before mu
	w       *writer
	spare   []*entry // for take to use again
}

type state int

const (
	opened state = iota
	running
	draining // Append refuses
	closed
)

// Status is how the log does, for readiness and metrics.
type Status struct {
	// Err is nil while records can be written; otherwise what stops them, since when, and how many were refused.
	Err     error
	Since   time.Time
	Refused int64

	File    string
	Bytes   int64 // of the current file
	Lines   int64 // of the whole series: the size of the tree
	Records int64 // appended since Open
	Pending int   // records that wait for the writer now

	// UnsyncedSince is when the oldest record was written that no sync has covered yet; zero where there is none.
	UnsyncedSince time.Time

	// CheckpointSize is the size that the newest checkpoint covers, CheckpointTime when it was signed, CheckpointErr why
	// the last attempt failed. Records go on without checkpoints.
	CheckpointSize int64
	CheckpointTime time.Time
	CheckpointErr  error
}

// entry is a record on its way to the writer.
type entry struct {
	body []byte
	done chan error
}

// newEntry returns an entry to encode a record in, a used one if there is one.
func (l *Log) newEntry() *entry {
	if e, ok := l.entries.Get().(*entry); ok {
		return e
	}
	return &entry{done: make(chan error, 1)}
}

// release keeps the entry for another record, unless its own was so long that
// keeping the buffer would waste memory.
func (l *Log) release(e *entry) {
	const usual = 16 << 10
	if cap(e.body) <= usual {
		l.entries.Put(e)
	}
}

// Open opens the log of a file, creates it if there is none, and takes it for this process. What kill -9 or a loss of power
// left behind is set apart (see the package comment); a file changed in its middle is refused with ErrDamaged. Nothing
// is written before Run.
func Open(o Options) (*Log, error) {
	o.setDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	if err := checkDir(filepath.Dir(o.File)); err != nil {
		return nil, err
	}
	held, err := acquireLock(o.File + ".lock")
	if err != nil {
		return nil, err
	}
	l := &Log{
		opts: o, lock: held,
		wake: make(chan struct{}, 1), reopens: make(chan chan error), stopped: make(chan struct{}),
	}
	if l.w, err = resume(&l.opts); err != nil {
		held.Close()
		return nil, err
	}
	l.publish()
	return l, nil
}

// Append returns nil once the record is written as Options.Sync promises; records of many callers share one write and one
// sync. With any error the record must count as missing: ErrRecord if it can't be written at all, else an
// *UnavailableError. When the context ends first the record may still be written; it can't interrupt a write.
func (l *Log) Append(ctx context.Context, r Record) error {
	if r.Time.IsZero() {
		r.Time = l.opts.Clock()
	}
	e, err := l.encodeEntry(&r)
	if err != nil {
		return err
	}
	if err := l.enqueue(e); err != nil {
		return err
	}
	l.tryWrite()
	select {
	case err := <-e.done:
		l.release(e)
		return err
	case <-ctx.Done():
		return &UnavailableError{Op: "wait", Cause: ctx.Err()}
	}
}

func (l *Log) encodeEntry(r *Record) (*entry, error) {
	if !validKind(r.Kind) || reserved(r.Kind) {
		return nil, fmt.Errorf("%w: kind %q", ErrRecord, r.Kind)
	}
	e := l.newEntry()
	var err error
	if e.body, err = r.encode(e.body[:0]); err != nil {
		return nil, fmt.Errorf("%w: claims: %v", ErrRecord, err)
	}
	const linkSize = 100 // at most: names, a number and a hash
	if len(e.body) > MaxRecord-linkSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrRecord, len(e.body), MaxRecord-linkSize)
	}
	return e, nil
}

var (
	errClosed = errors.New("the log is closed")
	errFull   = fmt.Errorf("%d records wait already", MaxPending)
)

func (l *Log) enqueue(e *entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state >= draining {
		return &UnavailableError{Op: "append", Cause: errClosed}
	}
	if len(l.pending) >= MaxPending {
		return &UnavailableError{Op: "append", Cause: errFull}
	}
	l.pending = append(l.pending, e)
	return nil
}

// take gives the writer everything that waits.
func (l *Log) take(into []*entry) []*entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.pending
	l.pending = into[:0]
	return taken
}

// Reopen goes over to a new file at the path if somebody, logrotate for one, moved the current one away; if the file is
// still in its place it does nothing. It returns once the new file is in use. The old file gets a last checkpoint first.
func (l *Log) Reopen(ctx context.Context) error {
	done := make(chan error, 1)
	select {
	case l.reopens <- done:
	case <-l.stopped:
		return fmt.Errorf("audit: reopen: %w", errClosed)
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Status tells how the log does. It never waits for the disk.
func (l *Log) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.status
	s.Pending = len(l.pending)
	return s
}

// publish makes the writer's state visible to Status.
func (l *Log) publish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status = l.w.status()
}

// Close gives the file and the lock back. End Run first: it writes what waits and the last checkpoint.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch l.state {
	case closed:
		return nil
	case running, draining:
		select {
		case <-l.stopped:
		default:
			return errors.New("audit: close: Run still runs: end its context and wait for it first")
		}
	}
	l.state = closed
	return errors.Join(l.w.file.f.Close(), l.lock.Close())
}
