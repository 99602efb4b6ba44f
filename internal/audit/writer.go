package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assertd/assertd/ipc"
)

// writer is the part of the log that only one goroutine touches at a time.
type writer struct {
	opts *Options
	disk *diskWatch
	ctx  context.Context // Run's, without its cancellation
	jobs sync.WaitGroup  // the signature and the sync in the background

	file       *file
	head       head
	next       head      // the head if the current write succeeds; a field to save an allocation
	created    time.Time // time in the current file's header
	hasRecords bool      // the current file has records, not only the log's own lines
	buf        []byte
	queued     [][]byte        // recovery lines for the next write
	checkpoint *checkpointLine // for the next write
	outage     *outage

	records, refused int64

	unsyncedSince time.Time // when the oldest record was written that no sync was started for; zero if none
	syncingSince  time.Time // the same, for the records that the current sync covers
	syncing       bool
	syncingSize   int64 // tree size that the current sync covers
	durable       int64 // tree size that has reached the disk
	synced        chan error
	mustSync      bool // a sync failed; what it lost is unknown, so every write fails until one is synced

	signing       bool
	signingSize   int64 // tree size of the checkpoint that is being signed, or was last
	signed        chan signature
	covered       int64 // tree size that the newest checkpoint covers
	checkpointEnd int64 // tree size right after the newest checkpoint's line
	coveredAt     time.Time
	signErr       error

	rotation  *rotation
	recheck   *recheck      // what the start did not read
	trail     *trail        // what it did not compare with the anchor
	rechecked chan struct{} // the log's
	damaged   bool          // nothing is recorded or signed any more

	demands      []chan delivery // of callers of Checkpoint
	deliveries   chan *Signed
	anchor       *anchor // nil for none
	newest       Checkpoint
	read         *verifier                        // has what the start read; nil after Open
	acknowledged int64                            // see Acknowledgment
	rolledBack   *atomic.Pointer[RolledBackError] // the log's
}

// outage is a period in which records could not be written.
type outage struct {
	since   time.Time
	cause   error
	refused int64
}

func newWriter(o *Options, f *file, h head) *writer {
	return &writer{
		opts: o, disk: newDiskWatch(o.Timeout), file: f, head: h, created: o.Clock(),
		synced: make(chan error, 1), signed: make(chan signature, 1), deliveries: make(chan *Signed, 1),
		anchor: newAnchor(o.Anchor),
	}
}

// write appends the queued lines and those of the batch with one write: all of
// them or none.
func (w *writer) write(batch []*entry) error {
	if e := w.rolledBack.Load(); e != nil {
		w.refused += int64(len(batch))
		return &UnavailableError{Op: "append", Cause: e}
	}
	now := w.opts.Clock()
	if _, err := w.disk.stuck(opSync); err != nil { // what it covers may never reach the disk
		w.fail(err, now, len(batch))
		return err
	}
	w.next = w.head
	buf := w.appendQueued(w.buf[:0], &w.next, now)
	for _, e := range batch {
		buf = w.next.appendLine(buf, e.body)
	}
	if len(buf) == 0 {
		return nil
	}
	w.keepBuffer(buf)
	always := w.opts.Sync == SyncAlways
	if err := w.file.append(buf, always || w.mustSync); err != nil {
		w.fail(err, now, len(batch))
		return err
	}
	w.head, w.queued = w.next, nil
	if w.opts.Sync != SyncInterval || w.mustSync {
		w.durable = w.head.tree.size
	}
	w.hasRecords = w.hasRecords || len(batch) > 0
	w.endOutage(now)
	if w.opts.Sync == SyncInterval && w.unsyncedSince.IsZero() {
		w.unsyncedSince = now
	}
	return nil
}

// appendQueued appends the lines that must come before the next record: the
// header of a new file, the queued lines, and the report of an outage.
func (w *writer) appendQueued(buf []byte, next *head, now time.Time) []byte {
	if w.file.end == 0 {
		w.created = now
		tree := headerTree{Size: next.tree.size, Root: next.tree.root(), Edge: next.tree.edgeHashes()}
		buf = next.appendLine(buf, header{Time: now.UTC(), Format: format, Tree: tree, carried: w.carried(next)}.body())
	}
	for _, body := range w.queued {
		buf = next.appendLine(buf, body)
	}
	if o := w.outage; o != nil {
		detail := fmt.Sprintf("since %s; %d records refused: %v", o.since.UTC().Format(time.RFC3339Nano), o.refused, o.cause)
		buf = next.appendLine(buf, recovery{Time: now.UTC(), What: "records could not be written", Detail: detail}.body())
	}
	if c := w.checkpoint; c != nil {
		c.Edge, c.carried = next.tree.edgeHashes(), w.carried(next)
		buf = next.appendLine(buf, c.body())
	}
	return buf
}

// carried is what a line at the head carries on.
func (w *writer) carried(h *head) carried {
	return carried{Pins: h.pinLines(), Acknowledged: w.acknowledged}
}

// keepBuffer keeps the buffer for the next write unless it has grown large.
func (w *writer) keepBuffer(buf []byte) {
	const large = 1 << 20
	if w.buf = buf; cap(buf) > large {
		w.buf = nil
	}
}

func (w *writer) fail(err error, now time.Time, refused int) {
	w.refused += int64(refused)
	if w.outage == nil {
		w.outage = &outage{since: now}
		w.opts.Logger.Error("can't write the audit log, refusing requests; free up or repair the disk",
			"file", w.file.path, "error", err)
	}
	w.outage.cause = err
	w.outage.refused += int64(refused)
}

// endOutage ends an outage after a successful write.
func (w *writer) endOutage(now time.Time) {
	w.mustSync = false
	if o := w.outage; o != nil {
		w.outage = nil
		w.opts.Logger.Info("writing the audit log again",
			"file", w.file.path, "outage", now.Sub(o.since).String(), "refused", o.refused)
	}
}

// report queues a recovery line and logs it as well.
func (w *writer) report(what, detail string) {
	w.queued = append(w.queued, recovery{Time: w.opts.Clock().UTC(), What: what, Detail: detail}.body())
	w.opts.Logger.Error("audit log: "+what, "file", w.file.path, "detail", detail)
}

// tick does the work of one interval.
func (w *writer) tick() {
	if detail := w.file.foreignChange(); detail != "" && !w.damaged {
		w.quarantine(detail)
	}
	if w.outage != nil || len(w.queued) > 0 || w.file.end == 0 {
		_ = w.write(nil) // a failure starts or continues the outage
	}
	w.startSync()
	w.rotateIfDue()
}

// startSync syncs in the background, so that records do not wait for the disk.
func (w *writer) startSync() {
	if w.opts.Sync != SyncInterval || w.unsyncedSince.IsZero() || w.syncing {
		return
	}
	w.syncing, w.syncingSince, w.unsyncedSince, w.syncingSize = true, w.unsyncedSince, time.Time{}, w.head.tree.size
	f := w.file
	w.jobs.Go(func() {
		w.disk.begin(opSync)
		err := f.sync()
		w.disk.end(opSync)
		w.synced <- err
	})
}

func (w *writer) endSync(err error) {
	w.syncing = false
	if err != nil && !errors.Is(err, os.ErrClosed) { // switchFile synced the file itself before it closed it
		w.mustSync = true
		w.fail(&UnavailableError{Op: "sync", Cause: err}, w.opts.Clock(), 0)
	}
	if err == nil {
		w.durable = max(w.durable, w.syncingSize)
	}
}

// syncStart syncs the lines from before the start: a process that was killed
// may have left some in the page cache only.
func (w *writer) syncStart() {
	if w.opts.Sync != SyncNever {
		if err := w.file.sync(); err != nil {
			w.mustSync = true
			w.fail(&UnavailableError{Op: "sync", Cause: err}, w.opts.Clock(), 0)
			return
		}
	}
	w.durable = w.head.tree.size
}

// finish writes the last checkpoint, completes a rotation that waits for it,
// and syncs.
func (w *writer) finish() {
	w.lastCheckpoint()
	w.jobs.Wait()
	w.disk.end(opWrite) // the anchor is on another disk
	w.anchor.wait()
	w.disk.begin(opWrite)
	if w.syncing {
		w.endSync(<-w.synced)
	}
	if w.opts.Sync != SyncNever {
		if err := w.file.sync(); err != nil {
			w.fail(&UnavailableError{Op: "sync", Cause: err}, w.opts.Clock(), 0)
			return
		}
		w.durable = w.head.tree.size
	}
}

func (w *writer) status() Status {
	s := Status{CheckpointErr: w.signErr, Durable: w.durable, AuditStatus: ipc.AuditStatus{
		Refused: w.refused, File: w.file.path, Bytes: w.file.end, Lines: w.head.tree.size, Records: w.records,
		UnsyncedSince: w.unsyncedSince, CheckpointLines: w.covered, CheckpointTime: w.coveredAt,
	}}
	if w.syncing {
		s.UnsyncedSince = w.syncingSince
	}
	if w.outage != nil {
		s.Err, s.Error, s.Since = w.outage.cause, w.outage.cause.Error(), w.outage.since
	}
	if w.signErr != nil {
		s.CheckpointError = w.signErr.Error()
	}
	if w.anchor != nil {
		s.AnchorError = w.anchor.problem()
	}
	return s
}
