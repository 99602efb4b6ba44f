package audit

import (
	"context"
	"errors"
	"time"
)

// Run writes until the context ends; then it writes what waits, signs a last checkpoint (so whatever Options.Key needs must
// still be there), syncs and returns. End the callers of Append first. Failures of the disk do not end Run: they show
// in Append and Status, and Run tries again.
func (l *Log) Run(ctx context.Context) error {
	if !l.start(context.WithoutCancel(ctx)) { // a checkpoint that is being signed has its own time limit
		return errors.New("audit: run: the log runs or ran already")
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

// start writes the header of a new file, and what Open had to get over.
func (l *Log) start(ctx context.Context) (began bool) {
	l.exclusive(func() {
		if began = l.transition(opened, running); began {
			l.w.ctx = ctx
			_ = l.w.write(nil)
		}
	})
	return began
}

// exclusive does what one goroutine may do at a time, and then has Run write the records whose callers found it busy.
func (l *Log) exclusive(do func()) {
	l.writing.Lock()
	do()
	l.publish()
	l.writing.Unlock()
	l.wakeRun()
}

// wakeRun tells Run of records that wait.
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

// tryWrite writes what waits, the caller's record among it. If somebody is at it already, that one sees to the rest; and
// records that have to be on the disk are left to Run, which takes in what comes during a sync. To hand every record to
// Run would cost two switches between goroutines for each, several times what it costs to write it.
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

// flush writes everything that waits and answers each caller.
func (l *Log) flush() {
	batch := l.take(l.spare)
	for rest := batch; len(rest) > 0; {
		n := chunk(rest)
		err := l.w.write(rest[:n])
		if err == nil {
			l.w.records += int64(n)
		}
		l.publish() // before the callers go on: who was refused finds Status saying why
		for _, e := range rest[:n] {
			e.done <- err
		}
		rest = rest[n:]
	}
	clear(batch)
	l.spare = batch
}

// chunk says how many entries one write takes, so that no buffer grows without bound.
func chunk(batch []*entry) int {
	const most = 1 << 20
	size := 0
	for i, e := range batch {
		if size += len(e.body); size > most && i > 0 {
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
