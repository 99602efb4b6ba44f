package audit

import (
	"fmt"
	"sync/atomic"
	"time"
)

// operation is something that waits for the disk.
type operation int

const (
	opWrite      operation = iota // what the writer does: write, rename, open, close
	opSync                        // the sync of SyncInterval, in the background
	opCheckpoint                  // the sync before a checkpoint is signed
	operations
)

func (o operation) String() string { return [...]string{"write", "sync", "sync"}[o] }

// diskWatch knows which operations are under way and since when. A disk can
// stop answering for hours (fsfreeze for a snapshot, a lost NFS server), and
// nothing can interrupt the system call that waits for it. So code that depends
// on the disk asks here instead of waiting with it.
type diskWatch struct {
	limit time.Duration
	epoch time.Time // its monotonic clock is what counts
	since [operations]atomic.Int64
}

func newDiskWatch(limit time.Duration) *diskWatch {
	return &diskWatch{limit: limit, epoch: time.Now()}
}

// begin notes the start of an operation. Operations of one kind don't overlap.
func (d *diskWatch) begin(o operation) { d.since[o].Store(max(1, int64(time.Since(d.epoch)))) }

// end notes that the operation has ended, and returns how long it took.
func (d *diskWatch) end(o operation) time.Duration {
	return time.Since(d.epoch) - time.Duration(d.since[o].Swap(0))
}

// stuck returns when the oldest of the operations began if it takes longer than
// the limit, and why no record can be written then.
func (d *diskWatch) stuck(list ...operation) (since time.Time, err error) {
	now := time.Since(d.epoch)
	for _, o := range list {
		at := time.Duration(d.since[o].Load())
		if at == 0 || now-at < d.limit || err != nil && !d.epoch.Add(at).Before(since) {
			continue
		}
		since, err = d.epoch.Add(at), d.timeout(o)
	}
	return since, err
}

// answerWithin returns what ask returns, or errNoAnswer if the disk holds it up
// for longer than the limit. Then ask goes on in the background.
func answerWithin[T any](limit time.Duration, ask func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		value, err := ask()
		answers <- answer{value, err}
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-time.After(limit):
		var none T
		return none, fmt.Errorf("%w within %s", errNoAnswer, limit)
	}
}

func (d *diskWatch) timeout(o operation) *UnavailableError {
	return &UnavailableError{Op: o.String(), Cause: fmt.Errorf("%w within %s", errNoAnswer, d.limit)}
}
