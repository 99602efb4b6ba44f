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
	if !l.enter(opened, running) {
		return errors.New("audit: run: the log runs or ran already")
	}
	defer close(l.stopped)
	l.w.ctx = context.WithoutCancel(ctx) // a checkpoint that is being signed has its own time limit
	_ = l.w.write(nil)                   // the header of a new file, and what Open had to get over
	l.publish()

	look := time.NewTicker(l.opts.Interval)
	defer look.Stop()
	checkpoint := time.NewTicker(l.opts.CheckpointInterval)
	defer checkpoint.Stop()
	for spare := []*entry(nil); ; l.publish() {
		select {
		case <-ctx.Done():
			l.drain()
			return nil
		case <-l.wake:
			spare = l.flush(spare)
		case <-look.C:
			l.w.look()
		case <-checkpoint.C:
			l.w.startCheckpoint()
		case s := <-l.w.signed:
			l.w.endCheckpoint(s)
		case err := <-l.w.synced:
			l.w.endSync(err)
		case done := <-l.reopens:
			l.w.reopen(done)
		}
	}
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

// flush writes everything that waits and answers each caller. It returns a slice for take to use again.
func (l *Log) flush(spare []*entry) []*entry {
	batch := l.take(spare)
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
	return batch
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
	l.flush(nil)
	l.w.finish()
	l.publish()
}
