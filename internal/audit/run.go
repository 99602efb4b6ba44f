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
	if !l.begin(context.WithoutCancel(ctx)) { // a checkpoint that is being signed has its own time limit
		return errors.New("audit: run: the log runs or ran already")
	}
	defer close(l.stopped)
	look := time.NewTicker(l.opts.Interval)
	defer look.Stop()
	checkpoint := time.NewTicker(l.opts.CheckpointInterval)
	defer checkpoint.Stop()
	for {
		select {
		case <-ctx.Done():
			l.inTurn(l.drain)
			return nil
		case <-l.wake:
			l.inTurn(l.flush)
		case <-look.C:
			l.inTurn(l.w.look)
		case <-checkpoint.C:
			l.inTurn(l.w.startCheckpoint)
		case s := <-l.w.signed:
			l.inTurn(func() { l.w.endCheckpoint(s) })
		case err := <-l.w.synced:
			l.inTurn(func() { l.w.endSync(err) })
		case done := <-l.reopens:
			l.inTurn(func() { l.w.reopen(done) })
		}
	}
}

// begin writes the header of a new file, and what Open had to get over.
func (l *Log) begin(ctx context.Context) (began bool) {
	l.inTurn(func() {
		if began = l.enter(opened, running); began {
			l.w.ctx = ctx
			_ = l.w.write(nil)
		}
	})
	return began
}

// inTurn does what one goroutine may do at a time, and then has Run write the records whose callers found it busy.
func (l *Log) inTurn(do func()) {
	l.turn.Lock()
	do()
	l.publish()
	l.turn.Unlock()
	l.rouse()
}

// rouse tells Run of records that wait.
func (l *Log) rouse() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending) > 0 {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// writeNow writes what waits, the caller's record among it. If somebody is at it already, that one sees to the rest; and
// records that have to be on the disk are left to Run, which takes in what comes during a sync. To hand every record to
// Run would cost two switches between goroutines for each, several times what it costs to write it.
func (l *Log) writeNow() {
	if l.opts.Sync == SyncAlways {
		l.rouse()
		return
	}
	if !l.turn.TryLock() {
		return
	}
	if l.is(running) {
		l.flush()
	}
	l.turn.Unlock()
	l.rouse()
}

func (l *Log) is(s state) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state == s
}

func (l *Log) enter(from, to state) bool {
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
	l.enter(running, draining)
	l.flush()
	l.w.finish()
}
