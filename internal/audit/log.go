package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assertd/assertd/internal/atomicfile"
	"github.com/assertd/assertd/ipc"
)

// Log is an open audit log. Run must be running for Append to return before its
// timeout. Append, Reopen and Status may be called from any goroutine.
type Log struct {
	opts Options
	lock *os.File
	disk *diskWatch

	wake    chan struct{}   // pending is not empty
	reopens chan chan error // requests from Reopen
	asks    chan func()     // requests from ask
	stopped chan struct{}   // the writer has ended

	// entries holds used entries for newEntry. Each log has its own, so that
	// tests can put a log in a synctest bubble.
	entries sync.Pool

	mu      sync.Mutex
	pending []*entry
	state   state
	status  Status
	expired int // records refused because the disk did not answer

	acknowledged int64 // as of Open, see Acknowledgment
	pinned       []int64
	rolledBack   atomic.Pointer[RolledBackError] // sticky; every write fails with it

	damaged   chan error    // what recheck found, for the writer
	rechecked chan struct{} // closed after recheck
	damage    error         // the same, for Append and Status
	unchecked bool          // recheck has not ended well

	w     *writer  // only the writer's goroutine uses it after Open
	spare []*entry // the last batch, for take to reuse
}

type state int

const (
	opened state = iota
	running
	draining  // Append refuses
	abandoned // Run ended, but its writer still waits for the disk
	closed
)

// Status is the state of the log as operators see it, with its errors for
// errors.Is. CheckpointKey is empty: the log does not know the key set's name.
type Status struct {
	ipc.AuditStatus
	Err           error // nil while records can be written
	CheckpointErr error // why the last checkpoint failed; records continue without
	Durable       int64 // lines that a power loss leaves; with SyncNever, all lines
}

// entry is a record on its way to the writer.
type entry struct {
	body  []byte
	done  chan error
	timer *time.Timer
	// expired is set once nobody waits for the record any more. It may be written
	// nevertheless: a record without a release is harmless.
	expired atomic.Bool
}

// newEntry returns an entry to encode a record into, reusing one if it can.
func (l *Log) newEntry() *entry {
	if e, ok := l.entries.Get().(*entry); ok {
		e.timer.Reset(l.opts.Timeout)
		return e
	}
	return &entry{done: make(chan error, 1), timer: time.NewTimer(l.opts.Timeout)}
}

// release keeps the entry for reuse, unless its record was so long that keeping
// the buffer would waste memory.
func (l *Log) release(e *entry) {
	const maxKept = 16 << 10
	e.timer.Stop()
	if cap(e.body) <= maxKept {
		l.entries.Put(e)
	}
}

// Open opens the log at Options.File, creates it if it does not exist, and
// locks it for this process. It sets aside what kill -9 or a power loss left
// after the last complete line (see the package comment). It returns ErrDamaged
// for a file that was changed in the middle, and ErrRolledBack for a log that
// lacks lines which Options.Anchor covers. It reads only what the newest
// checkpoint does not cover; Run verifies the rest. It writes no line; Run
// does.
func Open(o Options) (*Log, error) { return open(o, (*writer).checkAnchor) }

func open(o Options, check func(*writer, Checkpoint) error) (*Log, error) {
	o.setDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	if err := o.checkPath(); err != nil {
		return nil, err
	}
	held, err := o.lockWithin(o.Timeout)
	if err != nil {
		return nil, err
	}
	if err := atomicfile.RemoveLeftovers(o.File, 0); err != nil { // of AcceptDamage
		held.Close()
		return nil, fmt.Errorf("audit: %w; remove it, or give the daemon's user permission", err)
	}
	l := &Log{
		opts: o, lock: held, disk: newDiskWatch(o.Timeout),
		wake: make(chan struct{}, 1), reopens: make(chan chan error), asks: make(chan func()), stopped: make(chan struct{}),
		damaged: make(chan error, 1), rechecked: make(chan struct{}),
	}
	if l.w, err = resume(&l.opts); err != nil {
		held.Close()
		return nil, locateDamage(o.File, err)
	}
	l.w.disk, l.w.rechecked = l.disk, l.rechecked
	if err := check(l.w, l.w.newest); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l.unchecked = l.w.recheck != nil || l.w.trail != nil
	l.w.read = nil
	l.acknowledged, l.w.rolledBack = l.w.acknowledged, &l.rolledBack
	for _, p := range l.w.head.pins {
		l.pinned = append(l.pinned, p.tree.size)
	}
	l.opts.warnIfShared()
	l.publish()
	return l, nil
}

// Append returns nil after the record is written as Options.Sync promises.
// Records of concurrent callers share one write and one sync. On any error the
// record must count as missing. The error is ErrRecord if the record can't be
// written at all, ErrDamaged once damage was found in the log, and an
// *UnavailableError otherwise. If ctx or Options.Timeout
// ends first, the record may still be written: nothing interrupts a write.
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
	select {
	case err := <-e.done:
		l.release(e)
		return err
	case <-ctx.Done():
		e.expired.Store(true)
		return &UnavailableError{Op: "wait", Cause: ctx.Err()}
	case <-e.timer.C:
		e.expired.Store(true)
		return l.refuse(l.disk.timeout(opWrite))
	}
}

// takeExpired returns how many records were refused because the disk did not
// answer, and starts from zero.
func (l *Log) takeExpired() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.expired
	l.expired = 0
	return n
}

// refuse counts a record that is refused because the disk does not answer.
func (l *Log) refuse(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expired++
	return err
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
	const linkSize = 100 // upper bound: names, a number and a hash
	if len(e.body) > MaxRecord-linkSize {
		return nil, fmt.Errorf("%w: %d bytes; the maximum is %d", ErrRecord, len(e.body), MaxRecord-linkSize)
	}
	return e, nil
}

var (
	errClosed   = errors.New("the log is closed")
	errNoAnswer = errors.New("the disk did not answer")
	errFull     = fmt.Errorf("%d records are waiting already; see whether the disk is slow", MaxPending)
)

// enqueue hands a record to the writer. While the disk does not answer, it
// refuses at once: nobody should wait for the same disk again.
func (l *Log) enqueue(e *entry) error {
	_, stuck := l.disk.stuck(opWrite, opSync)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state >= draining {
		return &UnavailableError{Op: "append", Cause: errClosed}
	}
	if l.damage != nil {
		return l.damage
	}
	if stuck != nil {
		l.expired++
		return stuck
	}
	if len(l.pending) >= MaxPending {
		return &UnavailableError{Op: "append", Cause: errFull}
	}
	l.pending = append(l.pending, e)
	select {
	case l.wake <- struct{}{}:
	default: // the writer takes all that wait
	}
	return nil
}

// take returns all waiting records and leaves into as the new, empty queue.
func (l *Log) take(into []*entry) []*entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.pending
	l.pending = into[:0]
	return slices.DeleteFunc(taken, func(e *entry) bool { return e.expired.Load() })
}

// Reopen switches to a new file at the path if something, such as logrotate,
// renamed the current one. If the file is still in place, Reopen does nothing.
// It returns after the new file is in use. The old file gets a last checkpoint
// first.
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

// Status returns the state of the log. It never waits for the disk.
func (l *Log) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.status
	s.Pending = len(l.pending)
	s.Refused, s.Unchecked = s.Refused+int64(l.expired), l.unchecked
	if l.damage != nil {
		s.Err, s.Error = l.damage, l.damage.Error()
		return s
	}
	if e := l.rolledBack.Load(); e != nil {
		s.Err, s.Error = e, e.Error()
	}
	if since, err := l.disk.stuck(opWrite, opSync); err != nil && s.Err == nil {
		s.Err, s.Error, s.Since = err, err.Error(), since
	}
	return s
}

// publish makes the writer's state visible to Status.
func (l *Log) publish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status = l.w.status()
}

// Close closes the file and releases the lock. End Run first: it writes the
// waiting records and the last checkpoint. If Run gave up on the disk, Close
// leaves both to the end of the process: until the write that is under way has
// ended, no other process may write.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch l.state {
	case closed:
		return nil
	case abandoned:
		return fmt.Errorf("audit: close: %w; the file stays locked until the process has ended", errNoAnswer)
	case running, draining:
		select {
		case <-l.stopped:
		default:
			return errors.New("audit: close: Run is still running; cancel its context and wait for it first")
		}
	}
	if l.state == opened {
		l.w.recheck.close()
		l.w.trail.close()
	}
	l.state = closed
	return errors.Join(l.w.file.f.Close(), l.lock.Close())
}
