package audit

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Run writes records until ctx ends. Then it writes the waiting records, signs
// a last checkpoint (so keep what Options.Key needs until Run returns), syncs
// and returns. Stop the callers of Append first. Disk failures do not end Run:
// they show in Append and Status, and Run retries. If the disk does not answer
// within Options.Timeout after ctx has ended, Run returns an error and leaves
// the write that is under way behind; then end the process.
func (l *Log) Run(ctx context.Context) error {
	if !l.transition(opened, running) {
		return errors.New("audit: run: Run was called before; open the log again")
	}
	l.w.ctx = context.WithoutCancel(ctx) // a signature in progress has its own timeout
	l.startRecheck(ctx)
	go l.write(ctx)
	return l.watch(ctx)
}

// watch waits for the writer, and says in the daemon's log when the disk stops
// answering.
func (l *Log) watch(ctx context.Context) error {
	poll := time.NewTicker(max(l.opts.Timeout/20, time.Millisecond))
	defer poll.Stop()
	reported := false
	for {
		select {
		case <-l.stopped:
			return l.awaitRecheck()
		case <-poll.C:
		}
		_, err := l.disk.stuck(opWrite, opSync)
		if err != nil && !reported {
			l.opts.Logger.Error("the disk of the audit log does not answer, refusing requests; see whether its file system is frozen",
				"file", l.opts.File, "error", err)
		}
		reported = err != nil
		if ctx.Err() != nil && l.giveUp() {
			return fmt.Errorf("audit: run: %w within %s; the last records may be missing", errNoAnswer, l.opts.Timeout)
		}
	}
}

// awaitRecheck waits for the end of recheck, which only reads.
func (l *Log) awaitRecheck() error {
	select {
	case <-l.rechecked:
		return nil
	case <-time.After(l.opts.Timeout):
		return fmt.Errorf("audit: run: %w within %s to a read", errNoAnswer, l.opts.Timeout)
	}
}

// giveUp abandons a writer that waits for the disk.
func (l *Log) giveUp() bool {
	if _, err := l.disk.stuck(opWrite, opSync, opCheckpoint); err == nil {
		return false
	}
	return l.transition(running, abandoned) || l.transition(draining, abandoned)
}

// write is the writer's goroutine: the only one that touches the files. A
// caller must not write its own record, because nothing could bound its wait.
func (l *Log) write(ctx context.Context) {
	defer close(l.stopped)
	tick := time.NewTicker(l.opts.Interval)
	defer tick.Stop()
	checkpoint := time.NewTicker(l.opts.CheckpointInterval)
	defer checkpoint.Stop()
	l.do(l.w.syncStart)
	l.do(func() { _ = l.w.write(nil) }) // the header of a new file, and what Open queued
	l.publish()
	for {
		select {
		case <-ctx.Done():
			l.do(l.stopIfDamaged)
			l.do(l.drain)
			l.publish()
			return
		case <-l.wake:
			l.do(l.flush) // it has published each write already
			continue
		case <-tick.C:
			l.do(l.w.tick)
		case <-checkpoint.C:
			l.do(l.w.startCheckpoint)
		case s := <-l.w.signed:
			l.do(func() { l.w.endCheckpoint(s) })
		case err := <-l.w.synced:
			l.do(func() { l.w.endSync(err) })
		case err := <-l.damaged:
			l.do(func() { l.w.stopForDamage(err) })
		case something := <-l.asks:
			l.do(something)
		case done := <-l.reopens:
			l.do(func() { l.w.reopen(done) })
		}
		l.publish()
	}
}

// ask has Run do something between two writes, and returns its error.
func (l *Log) ask(ctx context.Context, something func() error) error {
	done := make(chan error, 1)
	select {
	case l.asks <- func() { done <- something() }:
	case <-l.stopped:
		return errClosed
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

// do does one thing with the files. If the disk took too long, it records that
// as an outage, since callers were refused meanwhile.
func (l *Log) do(something func()) {
	l.disk.begin(opWrite)
	something()
	if took := l.disk.end(opWrite); took >= l.opts.Timeout {
		since := l.opts.Clock().Add(-took)
		l.w.fail(l.disk.timeout(opWrite), since, l.takeExpired())
		l.w.outage.since = since
		_ = l.w.write(nil)
		l.publish()
	}
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

// stopIfDamaged records damage that was found just before the end, so that no
// later start continues.
func (l *Log) stopIfDamaged() {
	select {
	case err := <-l.damaged:
		l.w.stopForDamage(err)
	default:
	}
}

func (l *Log) drain() {
	l.transition(running, draining)
	l.flush()
	l.w.finish()
}
