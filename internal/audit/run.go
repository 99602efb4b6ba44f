package audit

import (
	"context"
	"errors"
	"time"
)

// Run writes records until ctx ends. Then it writes the waiting records, signs
// a last checkpoint (so keep what Options.Key needs until Run returns), syncs
// and returns. Stop the callers of Append first. Disk failures do not end Run:
// they show in Append and Status, and Run retries.
func (l *Log) Run(ctx context.Context) error {
	if !l.start(context.WithoutCancel(ctx)) { // a signature in progress has its own timeout
		return errors.New("audit: run: Run was called before; open the log again")
	}
	defer close(l.stopped)
	tick := time.NewTicker(l.opts.Interval)
	defer tick.Stop()
	checkpoint := time.NewTicker(l.opts.CheckpointInterval)
	defer checkpoint.Stop()
	for {
		select {
		case <-ctx.Done():
			l.exclusive(l.drain)
			return nil
		case <-l.wake:
			l.exclusive(l.flush)
		case <-tick.C:
			l.exclusive(l.w.tick)
		case <-checkpoint.C:
			l.exclusive(l.w.startCheckpoint)
		case s := <-l.w.signed:
			l.exclusive(func() { l.w.endCheckpoint(s) })
		case err := <-l.w.synced:
			l.exclusive(func() { l.w.endSync(err) })
		case done := <-l.reopens:
			l.exclusive(func() { l.w.reopen(done) })
		}
	}
}

// start writes the header of a new file and the recovery lines that Open
// queued.
func (l *Log) start(ctx context.Context) (started bool) {
	l.exclusive(func() {
		if started = l.transition(opened, running); started {
			l.w.ctx = ctx
			_ = l.w.write(nil)
		}
	})
	return started
}

// exclusive runs do while no other goroutine writes, then wakes Run for records
// whose callers could not write meanwhile.
func (l *Log) exclusive(do func()) {
	l.writing.Lock()
	do()
	l.publish()
	l.writing.Unlock()
	l.wakeRun()
}

// wakeRun wakes Run if records are waiting.
func (l *Log) wakeRun() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending) > 0 {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// tryWrite writes the waiting records, including the caller's own. If another
// goroutine is writing, it leaves them to that one or to Run. With SyncAlways
// it always leaves them to Run, which collects what arrives during a sync.
// Handing every record to Run would cost two goroutine switches each, several
// times the cost of the write.
func (l *Log) tryWrite() {
	if l.opts.Sync == SyncAlways {
		l.wakeRun()
		return
	}
	if !l.writing.TryLock() {
		return
	}
	if l.is(running) {
		l.flush()
	}
	l.writing.Unlock()
	l.wakeRun()
}

func (l *Log) is(s state) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state == s
}

func (l *Log) transition(from, to state) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != from {
		return false
	}
	l.state = to
	return true
}

// flush writes all waiting records and answers their callers.
func (l *Log) flush() {
	batch := l.take(l.spare)
	for rest := batch; len(rest) > 0; {
		n := chunk(rest)
		err := l.w.write(rest[:n])
		if err == nil {
			l.w.records += int64(n)
		}
		l.publish() // before the callers continue: Status must show why they were refused
		for _, e := range rest[:n] {
			e.done <- err
		}
		rest = rest[n:]
	}
	clear(batch)
	l.spare = batch
}

// chunk returns how many entries go into one write, so that no buffer grows
// without bound.
func chunk(batch []*entry) int {
	const maxSize = 1 << 20
	size := 0
	for i, e := range batch {
		if size += len(e.body); size > maxSize && i > 0 {
			return i
		}
	}
	return len(batch)
}

func (l *Log) drain() {
	l.transition(running, draining)
	l.flush()
	l.w.finish()
}
